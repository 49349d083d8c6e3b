// From worlds of the oracle to records of a store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oracle.hpp"
#include "store_file.hpp"
#include "token_auth/address.hpp"
#include "token_auth/policy.hpp"
#include "worlds.hpp"

namespace token_auth::unit {

// The only key of the digester, under which the worlds have their keyed tokens.
inline constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";

Digest digest_under(Digester& digester, const std::string& presented, const ModelToken& token);

// Puts every record of the world into a store that is empty, but for the meta record, of which
// `meta` is told what it must say.
void put_world(MDB_txn* txn, const World& world, Digester& digester, StoreMeta& meta);

// The number that an environment variable holds.
std::uint64_t number_from(const char* variable, std::uint64_t otherwise);

// A request in the core's terms; its views point into the request.
class Asked {
  public:
    explicit Asked(const Request& request);
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;

    const Requirements& requirements() const { return requirements_; }
    const Address& client() const { return client_; }

  private:
    std::vector<std::string_view> groups_, roles_, scopes_, scopes_any_;
    Requirements requirements_;
    Address client_;
};

}  // namespace token_auth::unit
