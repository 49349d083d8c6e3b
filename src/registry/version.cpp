#include "registry/version.hpp"

#include <fmt/format.h>

#include <iterator>
#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "registry/schema.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {
namespace {

constexpr int first_version = 1;
constexpr const char* no_version = "its version is missing; restore it from a backup";

// What version 2 has that version 1 has not.
constexpr std::string_view additions[] = {
    "names and e-mail addresses of users (users.display_name, users.email)",
    "the database's account and its clock in the audit trail (audit.session_user)",
    "checks of what the tables take, and a table for rows that they refuse (set_aside)",
    "a log of what REPLACE and deletions without foreign keys remove",
    "what managing needs: the system organization, policies, memberships in groups, a catalogue of "
    "scopes, who made a token, and passwords and sessions for logging in",
    "who waits for the nginx hosts (waiting), and in PostgreSQL what the hosts report (hosts, "
    "token_usage)",
};
static_assert(schema_version == first_version + 1, "say what the new version adds");

Migration migration_of(Session& session) {
    Migration migration;
    migration.from = session.version();
    require_version(session.location(), migration.from, first_version);
    if (migration.from < schema_version) {
        migration.additions.assign(std::begin(additions), std::end(additions));
        migration.set_aside = rows_to_set_aside(session);
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

// PostgreSQL: from the plan on nobody writes, from the first change on nobody reads. In the order
// in which tokensync locks them, or one would wait for the other.
void lock_tables(Session& session, std::string_view mode) {
    if (session.engine() == Engine::postgresql) {
        session.run(
            fmt::format("LOCK TABLE roles, organizations, org_groups, users, memberships, tokens, "
                        "audit IN {} MODE",
                        mode));
    }
}

void execute_all(Session& session, const Statements& statements) {
    for (const std::string& statement : statements) {
        session.execute(statement);
    }
}

void upgrade(Session& session, const Migration& migration, std::string_view actor) {
    const bool sqlite = session.engine() == Engine::sqlite;
    lock_tables(session, "ACCESS EXCLUSIVE");
    execute_all(session, sqlite ? sqlite_upgrade_before(session) : postgresql_upgrade_before());
    if (!migration.set_aside.empty()) {
        set_rows_aside(session, actor);
    }
    execute_all(session, sqlite ? sqlite_upgrade_behind(session) : postgresql_upgrade_behind());
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
        migration.from = session->version();
        require_version(location, migration.from, first_version);
        if (migration.from < schema_version) {
            require_owner(*session);
        }
    });
    if (migration.from == schema_version) {
        return migration;
    }
    if (location.engine == Engine::sqlite) {
        // Tables are exchanged, and what names them is to go on naming the new ones.
        session->run("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON");
    }
    session->write_alone([&] {
        lock_tables(*session, "SHARE ROW EXCLUSIVE");
        // Read under the write lock: another tokenctl may have done it meanwhile.
        migration = migration_of(*session);
        if (migration.additions.empty()) {
            return;
        }
        announce(migration);
        upgrade(*session, migration, author.name);
        session->set_version(schema_version);
        Writer(*session, author)
            .log("migrate", "registry", session->registry_id(),
                 {{"version", {{"from", migration.from}, {"to", schema_version}}}});
    });
    return migration;
}

}  // namespace token_auth::registry
