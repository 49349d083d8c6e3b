// What the store says about a presented token, and which scopes follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth {

enum class OrganizationMode : std::uint8_t {
    required,  // a token without an organization of its own needs one from the request
    optional,  // the request may name an organization
    off,       // the request never names an organization
};

// Views are of the store that was read, until it is read again.
struct Claims {
    bool known = false;  // there is such a token
    TokenView token{};
    std::string_view organization{};      // the organization claim; empty: none
    bool member = false;                  // the token, or its user, belongs to it
    bool suspended = false;               // the organization is suspended
    std::string_view role{};              // effective role; empty: none
    std::string_view role_scopes{};       // the scopes of that role, right behind its name
    std::uint64_t* role_meets = nullptr;  // see Requirements::number; null: not kept
};

// A token's effective scopes: what both lists allow if both are set, and else what the one allows
// that is. Lists are canonical (see record.hpp).
struct ScopeSets {
    bool has_role = false;  // its list is set, even if it is empty
    std::string_view role{};
    std::string_view token{};  // empty: not set
};
inline ScopeSets scope_sets(const Claims& claims) noexcept {
    // A role always limits, even one without any scope: to take the last scope off a role must
    // never widen what its tokens may do.
    return {!claims.role.empty(), claims.role_scopes, claims.token.scopes()};
}

// Whether they cover a scope.
inline bool grants(const ScopeSets& sets, std::string_view scope) noexcept {
    return (sets.has_role || !sets.token.empty()) &&
           (!sets.has_role || any_covers(sets.role, scope)) &&
           (sets.token.empty() || any_covers(sets.token, scope));
}

// Writes them, sorted, separated by spaces, each once; returns the number of bytes. `buffer` has
// room for effective_scopes_size() bytes.
std::size_t effective_scopes(const ScopeSets& sets, char* buffer) noexcept;
std::size_t effective_scopes_size(const ScopeSets& sets) noexcept;

}  // namespace token_auth
