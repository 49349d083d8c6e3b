// PostgreSQL's errors, in the words of the tools.
#pragma once

#include <string_view>

#include "registry/session.hpp"

namespace token_auth::registry::postgresql {

// How long tokenctl waits for another one, as on SQLite.
inline constexpr int lock_seconds = 10;

// The error for an SQLSTATE (five characters; empty without a connection) with the server's
// message.
SqlError explain(const Location& location, std::string_view sqlstate, std::string_view message);

}  // namespace token_auth::registry::postgresql
