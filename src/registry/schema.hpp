// The registry's schema, one text for each database; the same tables and columns in both.
//
// Every change of a table is logged in `changes` by triggers, so that nothing that writes the
// registry (tokenctl, or a platform's own dashboard over SQL) can forget it. A row there says
// which entity changed, not how: whoever syncs reads the entity's present state. The log keeps its
// last million rows or so: for a store that is further behind, reading everything is as quick.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace token_auth::registry {

class Session;

inline constexpr int schema_version = 2;
// tokensync reads this one, too: hosts are upgraded first, the registry last.
inline constexpr int oldest_readable_schema = 1;

// The action in the audit trail by which a token is known to be removed on purpose
// (Source::fates): the last row with the token's id as its key.
inline constexpr std::string_view removal_action = "delete";
// The same for a row that a migration set aside (set_aside.hpp).
inline constexpr std::string_view set_aside_action = "set_aside";

using Statements = std::vector<std::string>;

// The statements that make an empty SQLite database a registry, in order, one each.
Statements sqlite_schema();

// The same for a PostgreSQL database: the schema `token_auth` in it, its tables and functions.
Statements postgresql_schema();

// What brings a registry of version 1 to version 2, around set_rows_aside(): before it, new columns
// and tables; behind it, what its rows would not have passed. Whoever runs this writes the new
// version (version.hpp). In SQLite, foreign keys must be off, and legacy_alter_table on.
Statements sqlite_upgrade_before(Session& session);
Statements sqlite_upgrade_behind(Session& session);
Statements postgresql_upgrade_before();
Statements postgresql_upgrade_behind();

// What makes the group roles token_auth_reader and token_auth_reporter (for tokensync),
// token_auth_writer (for tokenctl, or a dashboard) and token_auth_api (for tokenapi) and gives them
// their rights; if the roles are not there yet, it needs CREATEROLE.
Statements postgresql_roles();

}  // namespace token_auth::registry
