// Decides who is let in, for the module and for `tokensync explain`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/address.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/record.hpp"

namespace token_auth {

// The words of a requirement; none requires nothing.
struct Words {
    const std::string_view* values = nullptr;
    std::size_t count = 0;
    bool met_by_nobody = false;  // whatever the words are

    const std::string_view* begin() const noexcept { return values; }
    const std::string_view* end() const noexcept { return values + count; }
};

// The requirement that a directive's values make; each holds any number of words separated by
// spaces. Empty ones are skipped; if all are empty, they require nothing of scopes, and a group or
// a role that nobody has. A value of only spaces is met by nobody. `room` has room for words_max().
enum class IfEmpty : std::uint8_t { nothing_is_required, met_by_nobody };
Words split_words(const std::string_view* values, std::size_t count, IfEmpty if_empty,
                  std::string_view* room) noexcept;
std::size_t words_max(const std::string_view* values, std::size_t count) noexcept;

// What a location requires.
struct Requirements {
    unsigned kinds = kinds_all;
    OrganizationMode organization_mode = OrganizationMode::required;
    Words groups{};      // any of these: "group" or "organization/group"
    Words roles{};       // any of these
    Words scopes{};      // all of these
    Words scopes_any{};  // any of these

    // Below numbers_max: whoever asks promises that the two requirements of scopes never change,
    // and that no others have the number as long as the store is open. Then a role that met them
    // once is not compared with them again: that takes more instructions than the rest of the
    // policy.
    static constexpr unsigned numbers_max = 64;
    unsigned number = numbers_max;
};

// Returns the first code from token_unknown on that applies, or ok. `organization` is the one that
// the request names (empty: none; ignored if the mode is off), `now` is in Unix seconds. `unmet` is
// set to the requirement that scope_missing is about.
Code decide(const Claims& claims, const Requirements& requirements, std::string_view organization,
            std::int64_t now, const Address& client, const Words*& unmet) noexcept;

// Whether a store is older than `max_age` seconds (0: any age will do), or was synced in the
// future, so that its age is not known. `synced` and `now` are Unix milliseconds.
bool is_stale(std::int64_t synced, std::int64_t now, std::int64_t max_age) noexcept;

}  // namespace token_auth
