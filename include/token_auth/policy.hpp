// Who is let in: the one place that decides. The module and `tokensync explain` call the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/address.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/record.hpp"

namespace token_auth {

// A list of words: an array of values, each of which may itself hold several words separated by
// spaces. Values that are empty ask for nothing; one of nothing but spaces is met by nobody.
struct Words {
    const std::string_view* values = nullptr;
    std::size_t count = 0;
};

// What a place asks of whoever wants in, for one request.
struct Requirements {
    unsigned kinds = kinds_all;
    OrganizationMode organization_mode = OrganizationMode::required;
    std::string_view organization{};  // the one the request names; empty where it names none
    Words groups{};                   // any of: "group" or "organization/group"
    Words roles{};                    // any of
    Words scopes{};                   // all of
    Words scopes_any{};               // any of
};

// The first of the answers from token_unknown on that applies, or ok.
Code decide(const Claims& claims, const Requirements& requirements, std::int64_t now,
            const Address& client) noexcept;

// Whether a store is older than `max_age` seconds (0: any age will do), or was synced in the
// future, so that its age is not known. `synced` and `now` are Unix milliseconds.
bool is_stale(std::int64_t synced, std::int64_t now, std::int64_t max_age) noexcept;

}  // namespace token_auth
