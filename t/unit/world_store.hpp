// Between worlds of the oracle and records of a store: there, back again, and damaged on the way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oracle.hpp"
#include "scratch.hpp"
#include "token_auth/address.hpp"
#include "token_auth/policy.hpp"
#include "worlds.hpp"

namespace token_auth::unit {

// Of the digester under whose only key the worlds' keyed tokens are.
inline constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";

Digest digest_under(Digester& digester, const std::string& presented, const ModelToken& token);

// Every record of the world, the meta record first.
std::vector<Entry> entries_of(const World& world, Digester& digester, std::uint64_t generation);

// What the entries say. Records that the core does not decode are as good as not there, and
// counted in `damaged`; `original` says what is presented for which token's key.
World world_of(const std::vector<Entry>& entries, const World& original, Digester& digester,
               std::size_t& damaged);

// The value with a few of its bytes changed, cut out or put in.
std::string mutated(Draw& draw, std::string value);

// Changes some records of a world other than the first, the meta record.
void mutate(Draw& draw, std::vector<Entry>& entries, std::size_t count);

// A request in the core's own terms; views are of the request.
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
