// Rows of a registry of version 1 that the checks of version 2 refuse. A migration puts them into
// the table set_aside, whole, and takes them off their own: what they let in is refused from then
// on. Where only a column is wrong that lets nobody in, the row stays without it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/session.hpp"

namespace token_auth::registry {

struct SetAside {
    std::string entity;  // as in the audit trail
    std::string key;
    std::string reason;  // a clause: "name must be …"
    bool kept = false;   // the row stays, with the column emptied
};

// The rows there are, parents first; with each, all that names it. Changes nothing. In a
// transaction.
std::vector<SetAside> rows_to_set_aside(Session& session);

// Sets them aside, each with a row in the audit trail. The tables have version 1's columns, and
// set_aside and the audit trail version 2's; foreign keys may be off.
void set_rows_aside(Session& session, std::string_view actor);

}  // namespace token_auth::registry
