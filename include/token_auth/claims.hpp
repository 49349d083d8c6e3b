// What is known of a presented token, and what that grants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/record.hpp"

namespace token_auth {

enum class OrganizationMode : std::uint8_t {
    required,  // a token without an organization of its own needs one from the request
    optional,  // the request's organization counts where it names one
    off,       // the request names none
};

// Views are of the snapshot they were read in.
struct Claims {
    bool known = false;     // the token, its user and its organization exist
    bool disabled = false;  // its user is disabled
    TokenRecord token{};
    std::string_view organization{};  // the organization claim; empty: none
    bool member = false;              // holds that claim rightfully
    bool suspended = false;           // the organization is
    std::string_view role{};          // effective role; empty: none
    std::string_view role_scopes{};   // of that role
};

// Whether the effective scopes of the claims cover a scope.
bool grants(const Claims& claims, std::string_view scope) noexcept;

// Writes the effective scopes, sorted, separated by spaces, without repetitions; returns the
// number of bytes. `buffer` has room for effective_scopes_size(claims) bytes.
std::size_t effective_scopes(const Claims& claims, char* buffer) noexcept;
std::size_t effective_scopes_size(const Claims& claims) noexcept;

}  // namespace token_auth
