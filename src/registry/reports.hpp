// Where the tokensync of each nginx host reports: its host (hosts.hpp), and when tokens were used
// last (usage.hpp).
//
// In PostgreSQL that is the registry, with tables that tokensync may write (token_auth_reporter).
// SQLite knows no such rights: there it is a database of tokensync's own, with a rollback journal,
// so that others can read it without writing beside it.
#pragma once

#include <memory>
#include <string>

#include "registry/session.hpp"

namespace token_auth::registry {

// Of a registry: the registry itself, or that file.
Location reports_location(const Location& registry, const std::string& usage_file);

// For writing, the file is made if there is none; for reading, that is null. So is a PostgreSQL
// registry of version 1, which has no such tables. `stop_fd` as for Source::stop_on().
std::unique_ptr<Session> open_reports(const Location& location, Access access, int stop_fd = -1);

// For the statements of hosts.cpp and usage.cpp, which run outside of transactions: those take the
// lock of whoever writes tokens.
const char* hosts_table(const Session& reports);
const char* usage_table(const Session& reports);
// Unix seconds, by the database's clock.
const char* clock(const Session& reports);

}  // namespace token_auth::registry
