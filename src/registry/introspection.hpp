// What a token is and may do, for whoever has its text: as the gateway would decide, but by the
// registry.
//
// Source: RFC 7662.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/guarded.hpp"
#include "token_auth/address.hpp"

namespace token_auth::registry {

struct Introspected {
    Token token;
    std::string
        organization;    // where it is used; empty: a personal one, used nowhere in particular
    std::string role;    // effective there; empty: none
    std::string scopes;  // effective there, sorted, with a space between them
};

// For a caller who may know of it. None if it is not active: of a personal one, in the
// organization, from the address.
std::optional<Introspected> introspect(GuardedReader& guarded, Reader& reader, TokenView view,
                                       const std::string& organization, const Address& client);

}  // namespace token_auth::registry
