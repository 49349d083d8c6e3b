#include "registry/hosts.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/file_descriptor.hpp"
#include "base/redact.hpp"
#include "registry/postgresql/pg_connection.hpp"
#include "registry/sqlite/sqlite_session.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::registry {
namespace {

constexpr mode_t file_mode = 0640;
constexpr std::int64_t forgotten_after = 30 * 86400;
// A server that stays silent for this long is gone.
constexpr std::chrono::seconds patience{10};

constexpr const char* tables = R"(CREATE TABLE IF NOT EXISTS hosts (
    host       TEXT PRIMARY KEY,
    seen       BIGINT NOT NULL,
    version    TEXT NOT NULL,
    generation BIGINT NOT NULL,
    position   TEXT NOT NULL,
    age        BIGINT NOT NULL,
    held_back  BIGINT NOT NULL,
    left_out   BIGINT NOT NULL,
    problem    TEXT NOT NULL
))";

bool in_postgresql(const Session& session) {
    return session.engine() == Engine::postgresql;
}

// Outside of a transaction, which would take the lock of those who write tokens.
const char* table(const Session& session) {
    return in_postgresql(session) ? "token_auth.hosts" : "hosts";
}

const char* clock(const Session& session) {
    return in_postgresql(session) ? "floor(extract(epoch FROM clock_timestamp()))::bigint"
                                  : "CAST(strftime('%s', 'now') AS INTEGER)";
}

void make_file(const Location& location) {
    const base::FileDescriptor file(
        ::open(location.path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, file_mode));
    if (!file.is_open()) {
        const int problem = errno;
        throw base::Error(fmt::format(
            "registry {}: cannot be written: {}; {}", location.shown, std::strerror(problem),
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
    if (access == Access::write) {
        session->run(tables);
    }
    return session;
}

}  // namespace

Location reports_location(const Location& registry, const std::string& usage_file) {
    if (registry.engine == Engine::postgresql) {
        return registry;
    }
    return {Engine::sqlite, usage_file, "reports " + base::redacted_path(usage_file)};
}

std::unique_ptr<Session> open_reports(const Location& location, Access access, int stop_fd) {
    if (location.engine == Engine::sqlite) {
        return open_file(location, access);
    }
    auto session = std::make_unique<postgresql::PgConnection>(location, stop_fd, patience);
    session->require_server();
    const auto row = session->query("SELECT (to_regclass('token_auth.hosts') IS NOT NULL)::int");
    return row->next() && row->integer(0) != 0 ? std::move(session) : nullptr;
}

void put_report(Session& session, const HostReport& report) {
    session.execute(
        fmt::format(
            "INSERT INTO {} (host, seen, version, generation, position, age, held_back, left_out, "
            "problem) VALUES ($1, {}, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (host) DO UPDATE SET "
            "seen = excluded.seen, version = excluded.version, generation = excluded.generation, "
            "position = excluded.position, age = excluded.age, held_back = excluded.held_back, "
            "left_out = excluded.left_out, problem = excluded.problem",
            table(session), clock(session)),
        {report.name, report.version, static_cast<std::int64_t>(report.generation), report.position,
         report.age, static_cast<std::int64_t>(report.held_back),
         static_cast<std::int64_t>(report.left_out), report.problem});
}

std::vector<Host> hosts(Session& session) {
    const auto rows = session.query(
        fmt::format("SELECT host, version, generation, position, age, held_back, left_out, "
                    "problem, {1} - seen FROM {0} WHERE {1} - seen < {2} ORDER BY host",
                    table(session), clock(session), forgotten_after));
    std::vector<Host> found;
    while (rows->next()) {
        Host& host = found.emplace_back();
        host.report.name = rows->text(0);
        host.report.version = rows->text(1);
        host.report.generation = static_cast<std::uint64_t>(rows->integer(2));
        host.report.position = rows->text(3);
        host.report.age = rows->integer(4);
        host.report.held_back = static_cast<std::uint64_t>(rows->integer(5));
        host.report.left_out = static_cast<std::uint64_t>(rows->integer(6));
        host.report.problem = rows->text(7);
        host.seen = rows->integer(8);
    }
    return found;
}

}  // namespace token_auth::registry
