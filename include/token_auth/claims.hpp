// What the store says about a presented token, and which scopes follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/record.hpp"

namespace token_auth {

enum class OrganizationMode : std::uint8_t {
    required,  // a token without an organization of its own needs one from the request
    optional,  // the request may name an organization
    off,       // the request never names an organization
};

// Views point into the snapshot that the claims were read from.
struct Claims {
    bool known = false;     // the token, its user and its organization exist
    bool disabled = false;  // its user is disabled
    TokenRecord token{};
    std::string_view organization{};  // the organization claim; empty: none
    bool member = false;              // the token, or its user, belongs to it
    bool suspended = false;           // the organization is suspended
    std::string_view role{};          // effective role; empty: none
    std::string_view role_scopes{};   // the scopes of that role
};

// Whether the effective scopes cover a scope.
bool grants(const Claims& claims, std::string_view scope) noexcept;

// Writes the effective scopes, sorted, separated by spaces, without repetition. Returns the number
// of bytes, at most effective_scopes_size(claims).
std::size_t effective_scopes(const Claims& claims, char* buffer) noexcept;
std::size_t effective_scopes_size(const Claims& claims) noexcept;

}  // namespace token_auth
