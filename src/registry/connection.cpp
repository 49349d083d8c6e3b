#include "registry/connection.hpp"

#include <fmt/format.h>

#include <array>

#include "base/error.hpp"
#include "base/time.hpp"
#include "registry/postgresql/session.hpp"
#include "registry/sqlite/session.hpp"
#include "registry/token_text.hpp"

namespace token_auth::registry {
namespace {

constexpr std::string_view sqlite_scheme = "sqlite:";
constexpr std::size_t registry_id_bytes = 16;

void roll_back(soci::session& session, Engine engine) noexcept {
    if (engine == Engine::postgresql) {
        postgresql::roll_back(session);
        return;
    }
    try {
        session << "ROLLBACK";
    } catch (...) {
        // The first error is the one that counts; the database rolls back by itself.
    }
}

void begin(soci::session& session, Engine engine, Access access) {
    if (engine == Engine::postgresql) {
        postgresql::begin(session, access);
    } else {
        session << (access == Access::write ? "BEGIN IMMEDIATE" : "BEGIN");
    }
}

base::Error explain(const Location& location, const soci::soci_error& error) {
    return location.engine == Engine::postgresql ? postgresql::explain(location, error)
                                                 : sqlite::explain(location, error);
}

}  // namespace

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
    return {Engine::sqlite, path, url};
}

Connection::Connection(Location location, Access access) : location_(std::move(location)) {
    session_ = location_.engine == Engine::postgresql ? postgresql::open(location_, access)
                                                      : sqlite::open(location_, access);
}

Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

std::string Connection::registry_id() {
    std::string id;
    read([&](soci::session& session) {
        session << "SELECT value FROM meta WHERE name = 'registry_id'", soci::into(id);
    });
    if (id.empty()) {
        throw base::Error(
            fmt::format("registry {}: its meta table has no registry_id; restore it from a backup",
                        location_.shown));
    }
    return id;
}

void Connection::read(const std::function<void(soci::session&)>& body) {
    run(Access::read, body);
}

void Connection::write(const std::function<void(soci::session&)>& body) {
    run(Access::write, body);
}

void Connection::run(Access access, const std::function<void(soci::session&)>& body) {
    try {
        try {
            begin(*session_, location_.engine, access);
            body(*session_);
            *session_ << "COMMIT";
        } catch (...) {
            roll_back(*session_, location_.engine);
            throw;
        }
    } catch (const soci::soci_error& error) {
        throw explain(location_, error);
    }
    if (access == Access::write && location_.engine == Engine::postgresql) {
        postgresql::tidy(*session_);
    }
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
