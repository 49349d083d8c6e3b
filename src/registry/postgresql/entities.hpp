// What a PostgreSQL registry holds, read within a transaction for tokensync.
#pragma once

#include <string>
#include <vector>

#include "registry/connection.hpp"
#include "registry/postgresql/pg_connection.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// What the log says has changed, by entity.
struct ChangedKeys {
    std::vector<std::string> memberships;
    std::vector<std::string> organizations;
    std::vector<std::string> roles;
    std::vector<std::string> tokens;
    std::vector<std::string> users;
    bool everything = false;  // a table was truncated
    bool any = false;
};

// Gives the sink the entities of those keys as they are in the transaction's snapshot.
void read_changed(Link& link, const Location& location, const ChangedKeys& keys, Sink& sink);

// Streams everything, in the order of the store's keys.
void read_all(Link& link, const Location& location, Sink& sink);

}  // namespace token_auth::registry
