// Decides who is let in, for the module and for `tokensync explain`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/address.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth {

// The values of a requirement; each holds any number of words separated by spaces. No value
// requires nothing. Empty values beside others are skipped; if all are empty, they require nothing
// of scopes, and a group or a role that nobody has. A value of only spaces is met by nobody.
struct Words {
    const std::string_view* values = nullptr;
    std::size_t count = 0;
    bool split = false;  // each value is one word
};

template <typename Visit>
void for_each_word(const Words& words, Visit visit) {
    for (std::size_t i = 0; i < words.count; ++i) {
        std::string_view value = words.values[i];
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            visit(word);
        }
    }
}

// What a location requires of one request.
struct Requirements {
    unsigned kinds = kinds_all;
    OrganizationMode organization_mode = OrganizationMode::required;
    std::string_view organization{};  // that the request names; empty: none
    Words groups{};                   // any of these: "group" or "organization/group"
    Words roles{};                    // any of these
    Words scopes{};                   // all of these
    Words scopes_any{};               // any of these
};

// Returns the first code from token_unknown on that applies, or ok. `now` is in Unix seconds.
Code decide(const Claims& claims, const Requirements& requirements, std::int64_t now,
            const Address& client) noexcept;

// The requirement of scopes that the claims do not meet. No values if they meet both.
struct MissingScopes {
    Words words{};
    bool any = false;  // scopes_any rather than scopes
};

MissingScopes missing_scopes(const Claims& claims, const Requirements& requirements) noexcept;

// Whether a store is older than `max_age` seconds (0: any age will do), or was synced in the
// future, so that its age is not known. `synced` and `now` are Unix milliseconds.
bool is_stale(std::int64_t synced, std::int64_t now, std::int64_t max_age) noexcept;

}  // namespace token_auth
