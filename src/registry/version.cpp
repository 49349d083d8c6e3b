#include "registry/version.hpp"

#include <fmt/format.h>

#include <array>
#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "registry/schema.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {
namespace {

constexpr int first_version = 1;
constexpr const char* no_version = "its version is missing; restore it from a backup";

// What each version after the first one has that the one before has not.
constexpr std::array<std::string_view, schema_version - first_version> additions = {
    "names and e-mail addresses of users (users.display_name, users.email)",
};
static_assert(!additions.back().empty(), "say what the version adds");

Migration migration_of(Session& session) {
    Migration migration;
    migration.from = session.version();
    require_version(session.location(), migration.from, first_version);
    for (std::int64_t version = first_version; const std::string_view addition : additions) {
        if (version++ >= migration.from) {
            migration.additions.emplace_back(addition);
        }
    }
    return migration;
}

// Who may not alter the tables is told so before anything else.
void require_owner(Session& session) {
    if (session.engine() != Engine::postgresql) {
        return;  // a file that could be opened for writing can be altered
    }
    const auto row = session.query(
        "SELECT pg_has_role(relowner, 'USAGE')::int FROM pg_class "
        "WHERE oid = 'token_auth.users'::regclass");
    if (!row->next() || row->integer(0) == 0) {
        throw base::Error(
            fmt::format("registry {}: only its owner may migrate it, in PostgreSQL the role that "
                        "ran `tokenctl init`; connect as the registry's owner",
                        session.location().shown));
    }
}

void upgrade(Session& session, int from) {
    const auto& statements =
        session.engine() == Engine::postgresql ? postgresql_upgrade(from) : sqlite_upgrade(from);
    for (const std::string_view statement : statements) {
        session.execute(statement);
    }
}

}  // namespace

void require_version(const Location& location, std::int64_t version, int oldest) {
    if (version < first_version) {
        throw base::Error(fmt::format("registry {}: {}", location.shown, no_version));
    }
    if (version > schema_version) {
        throw base::Error(
            fmt::format("registry {}: has version {}, made by a newer release; this release knows "
                        "versions up to {}: upgrade token-auth on this host",
                        location.shown, version, schema_version));
    }
    if (version < oldest) {
        throw base::Error(
            fmt::format("registry {}: has version {}, made by an older release; "
                        "bring it to version {} by `tokenctl migrate`",
                        location.shown, version, schema_version));
    }
}

std::string exists_already(std::int64_t version) {
    if (version < first_version) {
        return fmt::format("is a registry already, but {}; nothing was changed", no_version);
    }
    const char* const remark = version > schema_version   ? ", made by a newer release"
                               : version < schema_version ? ", made by an older release; run "
                                                            "`tokenctl migrate` to use it"
                                                          : "";
    return fmt::format("is a registry already (version {}){}; nothing was changed", version,
                       remark);
}

Migration plan_migration(const Location& location) {
    const auto session = open_session(location, Access::read, first_version);
    Migration plan;
    session->read([&] { plan = migration_of(*session); });
    return plan;
}

Migration migrate(const Location& location, const Author& author,
                  const std::function<void(const Migration&)>& announce) {
    const auto session = open_session(location, Access::write, first_version);
    Migration migration;
    session->read([&] {
        migration = migration_of(*session);
        if (!migration.additions.empty()) {
            require_owner(*session);
        }
    });
    if (migration.additions.empty()) {
        return migration;
    }
    session->write([&] {
        // Read under the write lock: another tokenctl may have done it meanwhile.
        migration = migration_of(*session);
        if (migration.additions.empty()) {
            return;
        }
        announce(migration);
        for (int from = static_cast<int>(migration.from); from < schema_version; ++from) {
            upgrade(*session, from);
        }
        session->set_version(schema_version);
        Writer(*session, author)
            .log("migrate", "registry", session->registry_id(),
                 {{"version", {{"from", migration.from}, {"to", schema_version}}}});
    });
    return migration;
}

}  // namespace token_auth::registry
