// The nginx hosts, as the tokensync on each of them reports itself.
//
// In PostgreSQL they stand in the registry, in tables that tokensync may write
// (token_auth_reporter). SQLite knows no such rights: there they stand in a database of tokensync's
// own, with a rollback journal, so that others can read it without writing beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "registry/session.hpp"

namespace token_auth::registry {

struct HostReport {
    std::string name;
    std::string version;  // of its tokensync
    std::uint64_t generation = 0;
    std::string position;  // Source's
    std::int64_t age = 0;  // seconds since the last completed sync
    std::uint64_t held_back = 0;
    std::uint64_t left_out = 0;
    std::string problem;  // that keeps it from syncing; empty: none
};

struct Host {
    HostReport report;
    std::int64_t seen = 0;  // seconds ago, by the database's clock
};

// Where the hosts of a registry report: the registry itself, or that file.
Location reports_location(const Location& registry, const std::string& usage_file);

// For writing, the file is made if there is none; for reading, that is null. So is a PostgreSQL
// registry of version 1, which has no such tables. `stop_fd` as for Source::stop_on().
std::unique_ptr<Session> open_reports(const Location& location, Access access, int stop_fd = -1);

// Puts it in place of the host's last one.
void put_report(Session& session, const HostReport& report);

// By name; those that have not reported for 30 days are left out.
std::vector<Host> hosts(Session& session);

}  // namespace token_auth::registry
