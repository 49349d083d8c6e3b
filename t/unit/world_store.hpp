// Converts worlds of the oracle to records of a store and back, and damages records.
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

// The only key of the digester, under which the worlds have their keyed tokens.
inline constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";

Digest digest_under(Digester& digester, const std::string& presented, const ModelToken& token);

// Every record of the world, the meta record first.
std::vector<Entry> entries_of(const World& world, Digester& digester, std::uint64_t generation);

// The world that the entries describe. Records that the core cannot decode count as absent and in
// `damaged`; `original` maps a token's key to the token that is presented.
World world_of(const std::vector<Entry>& entries, const World& original, Digester& digester,
               std::size_t& damaged);

// The value with a few of its bytes changed, cut out or put in.
std::string mutated(Draw& draw, std::string value);

// Changes some records of a world other than the first, the meta record.
void mutate(Draw& draw, std::vector<Entry>& entries, std::size_t count);

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
