// What a store says of a presented token.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "token_auth/claims.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/store.hpp"

namespace token_auth {

// Looks up all that decides about a token, by its digest. `organization` is the one that the
// request names (empty: none; ignored if the mode is off).
// found: `out` is filled. absent: no such token.
Found resolve(Snapshot& snapshot, const Digest& digest, OrganizationMode mode,
              std::string_view organization, Claims& out) noexcept;

// The same, by the token itself: under each digest that the store uses and the digester has.
// A pass for Store::read or StorePool::read; views must live as long.
class Identify {
  public:
    Identify(Digester& digester, std::string_view token, OrganizationMode mode,
             std::string_view organization) noexcept
        : digester_(digester), token_(token), organization_(organization), mode_(mode) {}

    Found operator()(Snapshot& snapshot) noexcept;

    // Once the pass has found a token; else they know none.
    Claims claims{};

    // Of the store that was read.
    std::uint64_t generation = 0;
    std::int64_t synced = 0;

    // If no token was found, one of these may be why: the store has tokens under a key that the
    // digester has not, or libcrypto failed.
    KeyId missing_key = no_key;
    bool no_digest = false;

  private:
    // False, and one of the reasons above, if there can be none.
    bool make_digest(KeyId id, std::size_t index) noexcept;

    Digester& digester_;
    std::string_view token_;
    std::string_view organization_;
    OrganizationMode mode_;
    // Made once, however often the pass is run.
    std::array<Digest, key_uses_max> digests_;
    std::array<KeyId, key_uses_max> ids_;
    unsigned made_ = 0;  // a bit for each
};

}  // namespace token_auth
