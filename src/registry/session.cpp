#include "registry/session.hpp"

#include <fmt/core.h>

#include "base/redact.hpp"
#include "base/time.hpp"
#include "registry/postgresql/create.hpp"
#include "registry/postgresql/location.hpp"
#include "registry/postgresql/pg_connection.hpp"
#include "registry/sqlite/create.hpp"
#include "registry/sqlite/sqlite_session.hpp"
#include "registry/token_text.hpp"

namespace token_auth::registry {
namespace {

constexpr std::string_view sqlite_scheme = "sqlite:";
constexpr std::size_t registry_id_bytes = 16;

constexpr int attempts_beside_others = 4;
constexpr int attempts_max = 8;

// SQLSTATEs of what another transaction did: a row changed since the snapshot, a deadlock, a row
// that this one names removed, one with the same key added.
bool is_conflict(const SqlError& error) {
    const auto& code = error.code();
    return code == "40001" || code == "40P01" || code == "23503" || code == "23505";
}

}  // namespace

std::string title(const Location& location) {
    return fmt::format("{} {}", location.is_registry ? "registry" : "reports", location.shown);
}

Location parse_location(const std::string& url) {
    if (postgresql::is_url(url)) {
        return postgresql::parse(url);
    }
    if (!url.starts_with(sqlite_scheme) || url.size() == sqlite_scheme.size()) {
        throw base::Error(
            "--registry is not understood: write sqlite:<path>, for instance "
            "sqlite:/var/lib/token-auth/registry.db, or postgresql://[user@]host/database",
            base::ErrorKind::invalid_argument);
    }
    const std::string path = url.substr(sqlite_scheme.size());
    return {Engine::sqlite, path, std::string(sqlite_scheme) + base::redacted_path(path)};
}

void Session::transact(Access access, const std::function<void()>& body) {
    try {
        begin(access);
        body();
        commit();
    } catch (...) {
        roll_back();
        throw;
    }
}

void Session::write(const std::function<void()>& body) {
    for (int attempt = 1;; ++attempt) {
        try {
            const bool alone = attempt > attempts_beside_others;
            transact(alone ? Access::write_alone : Access::write, body);
            return;
        } catch (const SqlError& error) {
            if (!is_conflict(error) || attempt == attempts_max) {
                throw;
            }
        }
    }
}

std::string Session::registry_id() {
    const auto rows = query("SELECT value FROM meta WHERE name = 'registry_id'");
    if (!rows->next() || rows->text(0).empty()) {
        throw base::Error(
            fmt::format("registry {}: its meta table has no registry_id; restore it from a backup",
                        location_.shown));
    }
    return std::string(rows->text(0));
}

std::unique_ptr<Session> open_session(const Location& location, Access access, int oldest,
                                      std::chrono::milliseconds patience) {
    if (location.engine == Engine::postgresql) {
        return postgresql::open(location, oldest, patience);
    }
    return sqlite::open(location, access, oldest);
}

NewRegistry create_registry(const Location& location) {
    NewRegistry made;
    made.id = random_hex(registry_id_bytes);
    if (location.engine == Engine::postgresql) {
        made.roles_made = postgresql::create(location, made.id, base::now());
    } else {
        sqlite::create(location, made.id, base::now());
    }
    return made;
}

}  // namespace token_auth::registry
