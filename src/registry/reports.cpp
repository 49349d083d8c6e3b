#include "registry/reports.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/redact.hpp"
#include "registry/postgresql/pg_connection.hpp"
#include "registry/sqlite/sqlite_session.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::registry {
namespace {

constexpr mode_t file_mode = 0640;
// A server that stays silent for this long is gone.
constexpr std::chrono::seconds patience{10};

// As in the registry's schema in PostgreSQL.
constexpr const char* tables = R"(CREATE TABLE IF NOT EXISTS hosts (
    host          TEXT PRIMARY KEY,
    seen          BIGINT NOT NULL,
    version       TEXT NOT NULL,
    schema        BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    position      TEXT NOT NULL,
    age           BIGINT NOT NULL,
    held_back     BIGINT NOT NULL,
    left_out      BIGINT NOT NULL,
    problem       TEXT NOT NULL,
    usage_since   BIGINT NOT NULL,
    usage_lost    BIGINT NOT NULL,
    usage_problem TEXT NOT NULL,
    pruned        BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS token_usage (
    token     TEXT PRIMARY KEY,
    last_used BIGINT NOT NULL,
    address   TEXT NOT NULL,
    count     BIGINT NOT NULL
) WITHOUT ROWID)";

bool in_postgresql(const Session& session) {
    return session.engine() == Engine::postgresql;
}

// Without opening it: to close it would let go of the locks that another session of this process
// has on it (fcntl(2)).
void make_file(const Location& location) {
    if (::mknod(location.path.c_str(), S_IFREG | file_mode, 0) == 0) {
        ::chmod(location.path.c_str(), file_mode);  // whatever the umask; else tokenctl says so
    } else if (errno != EEXIST) {
        const int problem = errno;
        throw base::Error(
            fmt::format("{}: cannot be written: {}; {}", title(location), std::strerror(problem),
                        file_remedy(problem,
                                    "name another file by --usage-db, in a directory of "
                                    "tokensync's own")));
    }
}

std::unique_ptr<Session> open_file(const Location& location, Access access) {
    if (access == Access::read && ::access(location.path.c_str(), F_OK) != 0 && errno == ENOENT) {
        return nullptr;
    }
    if (access == Access::write) {
        make_file(location);
    }
    auto session = std::make_unique<sqlite::SqliteSession>(location, location.path, access);
    if (session->number("PRAGMA application_id") != 0) {
        sqlite::fail(location, "is not tokensync's; name another file by --usage-db");
    }
    if (access == Access::write) {
        session->run(tables);
    }
    // Its maker may not have come further.
    const bool is_made = session->number("SELECT count(*) FROM sqlite_master") != 0;
    return is_made ? std::move(session) : nullptr;
}

}  // namespace

Location reports_location(const Location& registry, const std::string& usage_file) {
    if (registry.engine == Engine::postgresql) {
        return registry;
    }
    return {Engine::sqlite, usage_file, base::redacted_path(usage_file), false};
}

std::unique_ptr<Session> open_reports(const Location& location, Access access, int stop_fd) {
    if (location.engine == Engine::sqlite) {
        return open_file(location, access);
    }
    auto session = std::make_unique<postgresql::PgConnection>(location, stop_fd, patience);
    session->require_server();
    session->claim_session();
    const auto row = session->query("SELECT (to_regclass('token_auth.hosts') IS NOT NULL)::int");
    return row->next() && row->integer(0) != 0 ? std::move(session) : nullptr;
}

const char* hosts_table(const Session& reports) {
    return in_postgresql(reports) ? "token_auth.hosts" : "hosts";
}

const char* usage_table(const Session& reports) {
    return in_postgresql(reports) ? "token_auth.token_usage" : "token_usage";
}

const char* clock(const Session& reports) {
    return in_postgresql(reports) ? "floor(extract(epoch FROM clock_timestamp()))::bigint"
                                  : "CAST(strftime('%s', 'now') AS INTEGER)";
}

}  // namespace token_auth::registry
