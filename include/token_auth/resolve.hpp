// What a store says of a presented token.
#pragma once

#include <cstdint>
#include <string_view>

#include "token_auth/claims.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/store.hpp"

namespace token_auth {

// Looks up all that decides about a token, by its digest. `organization` is the one that the
// request names (empty: none; ignored where it is no identifier or the mode is off).
// found: `out` is filled. not_found: no such token, out.known is false. broken: the store is.
Lookup resolve(Snapshot& snapshot, const Digest& digest, OrganizationMode mode,
               std::string_view organization, Claims& out) noexcept;

enum class Identified : std::uint8_t {
    found,
    not_found,
    broken,       // the store is, see its problem()
    key_missing,  // not found under the keys at hand, and the store uses one that is not
    no_digest,    // libcrypto failed
};

// The same, by the token itself: under each digest that the store uses and the digester has.
// `missing` is set to the key that is not at hand where the result is key_missing.
Identified identify(Snapshot& snapshot, Digester& digester, std::string_view token,
                    OrganizationMode mode, std::string_view organization, Claims& out,
                    KeyId& missing) noexcept;

}  // namespace token_auth
