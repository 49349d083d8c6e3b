#include <fmt/format.h>

#include "registry/checks.hpp"
#include "registry/schema.hpp"
#include "registry/session.hpp"

namespace token_auth::registry {
namespace {

struct Table {
    std::string_view name;
    std::string_view definition;  // {checks} stands for what it refuses
};

constexpr Table kept_tables[] = {
    {"meta", R"(CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
))"},
    // mark: a random number, by which a registry restored from a backup is told from the one that a
    // store was synced from
    {"changes", R"(CREATE TABLE changes (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    mark   BIGINT NOT NULL DEFAULT (random())
))"},
};

// What version 2 made anew, parents first. The clock's default is written so for SQLite before
// 3.38, which has no unixepoch().
constexpr Table tables[] = {
    {"roles", R"(CREATE TABLE roles (
    id          TEXT PRIMARY KEY,
    scopes      TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT ''{checks}
))"},
    {"organizations", R"(CREATE TABLE organizations (
    id            TEXT PRIMARY KEY,
    suspended     INTEGER NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    display_name  TEXT NOT NULL DEFAULT '',
    system        INTEGER NOT NULL DEFAULT 0,
    max_life      BIGINT NOT NULL DEFAULT 0,
    default_life  BIGINT NOT NULL DEFAULT 0,
    require_allow INTEGER NOT NULL DEFAULT 0,
    max_tokens    BIGINT NOT NULL DEFAULT 0{checks}
))"},
    {"org_groups", R"(CREATE TABLE org_groups (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (organization, id){checks}
))"},
    {"users", R"(CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    technical    INTEGER NOT NULL DEFAULT 0,
    disabled     INTEGER NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    display_name TEXT NOT NULL DEFAULT '',
    email        TEXT NOT NULL DEFAULT '',
    sso_name     TEXT NOT NULL DEFAULT ''{checks}
))"},
    {"memberships", R"(CREATE TABLE memberships (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role         TEXT NOT NULL REFERENCES roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization){checks}
))"},
    // digest: 64 lower-case hex digits; key_id: 0 for plain SHA-256
    {"tokens", R"(CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    prefix       TEXT NOT NULL DEFAULT '',
    digest       TEXT NOT NULL UNIQUE,
    key_id       BIGINT NOT NULL DEFAULT 0,
    kind         TEXT NOT NULL,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    group_id     TEXT,
    role         TEXT REFERENCES roles (id),
    scopes       TEXT NOT NULL DEFAULT '',
    name         TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    allow        TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    not_before   BIGINT NOT NULL DEFAULT 0,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    predecessor  TEXT,
    successor    TEXT,
    created_by   TEXT NOT NULL DEFAULT '',
    created_via  TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (organization, group_id) REFERENCES org_groups (organization, id)
        ON DELETE CASCADE{checks}
))"},
    // session_user: who was logged in to the database, which SQLite does not know. organization and
    // group_id name where it was; nothing that the trail names need be there any more.
    {"audit", R"(CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    at           BIGINT NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
    "session_user" TEXT NOT NULL DEFAULT '',
    actor        TEXT NOT NULL,
    via          TEXT NOT NULL DEFAULT '',
    token        TEXT NOT NULL DEFAULT '',
    address      TEXT NOT NULL DEFAULT '',
    action       TEXT NOT NULL,
    entity       TEXT NOT NULL,
    key          TEXT NOT NULL,
    organization TEXT NOT NULL DEFAULT '',
    group_id     TEXT NOT NULL DEFAULT '',
    detail       TEXT NOT NULL
))"},
};

// What version 1 had not. No change of them is logged: the store knows nothing of them.
constexpr Table new_tables[] = {
    // rows of version 1 that the tables of version 2 refuse; kept: the row stayed, mended
    {"set_aside", R"(CREATE TABLE set_aside (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      BIGINT NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
    entity  TEXT NOT NULL,
    key     TEXT,
    reason  TEXT NOT NULL,
    kept    INTEGER NOT NULL,
    content TEXT NOT NULL
))"},
    // the catalogue
    {"scopes", R"(CREATE TABLE scopes (
    scope       TEXT PRIMARY KEY,
    description TEXT NOT NULL DEFAULT ''{checks}
))"},
    // for managing alone
    {"group_memberships", R"(CREATE TABLE group_memberships (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL,
    group_id     TEXT NOT NULL,
    role         TEXT NOT NULL REFERENCES roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization, group_id),
    FOREIGN KEY (organization, group_id) REFERENCES org_groups (organization, id)
        ON DELETE CASCADE{checks}
))"},
    {"passwords", R"(CREATE TABLE passwords (
    user_id    TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash       TEXT NOT NULL,
    changed_at BIGINT NOT NULL{checks}
))"},
    // id: the SHA-256 of what the cookie holds
    {"sessions", R"(CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    address    TEXT NOT NULL DEFAULT ''{checks}
))"},
    // Tries of a second. key: the SHA-256 of what is counted (a name, an address, or both); at = 0:
    // what a try locks while it counts
    {"throttle", R"(CREATE TABLE throttle (
    key   TEXT NOT NULL,
    at    BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (key, at){checks}
))"},
    // from where somebody has logged in, and when last
    {"login_addresses", R"(CREATE TABLE login_addresses (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, address){checks}
))"},
    // caller: who used the key; body: the SHA-256 of the request's; token: the one that it made,
    // which
    // may be gone
    {"idempotency_keys", R"(CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    path       TEXT NOT NULL,
    key        TEXT NOT NULL,
    body       TEXT NOT NULL,
    token      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, path, key){checks}
))"},
};

// until: somebody waits for the hosts (hosts.hpp) up to then
constexpr std::string_view waiting[] = {
    "CREATE TABLE waiting (until BIGINT NOT NULL)",
    "INSERT INTO waiting (until) VALUES (0)",
};

constexpr std::string_view indexes[] = {
    "CREATE INDEX memberships_organization ON memberships (organization, created_at, user_id)",
    "CREATE INDEX memberships_role ON memberships (role)",
    "CREATE INDEX tokens_user ON tokens (user_id)",
    "CREATE INDEX tokens_organization ON tokens (organization, group_id)",
    "CREATE INDEX tokens_role ON tokens (role)",
    "CREATE INDEX tokens_expires ON tokens (expires_at)",
    // by which tokensync and imports find a token's last row
    "CREATE INDEX audit_key ON audit (entity, key)",
    "CREATE INDEX audit_organization ON audit (organization, seq) WHERE organization <> ''",
    "CREATE INDEX audit_actor ON audit (actor, seq)",
    "CREATE UNIQUE INDEX organizations_system ON organizations (system) WHERE system = 1",
    "CREATE UNIQUE INDEX users_sso_name ON users (sso_name) WHERE sso_name <> ''",
    "CREATE INDEX users_people ON users (created_at, id) WHERE technical = 0",
    "CREATE INDEX audit_token ON audit (token, seq) WHERE token <> ''",
    "CREATE INDEX tokens_created_by ON tokens (created_by)",
    // for lists in pages
    "CREATE INDEX tokens_listed_created ON tokens (organization, created_at, id)",
    "CREATE INDEX tokens_listed_revoked ON tokens (organization, created_at, id) WHERE revoked_at "
    "<> 0",
    "CREATE INDEX tokens_listed_pending ON tokens (organization, created_at, id) WHERE not_before "
    "<> 0",
    "CREATE INDEX tokens_listed_name ON tokens (organization, name, id)",
    "CREATE INDEX tokens_listed_expires ON tokens (organization, (CASE WHEN expires_at = 0 THEN "
    "9223372036854775807 ELSE expires_at END), id)",
    "CREATE INDEX organizations_listed ON organizations (created_at, id)",
    "CREATE INDEX org_groups_listed ON org_groups (organization, created_at, id)",
    "CREATE INDEX group_memberships_listed ON group_memberships (organization, created_at, "
    "user_id, group_id)",
    "CREATE INDEX group_memberships_group ON group_memberships (organization, group_id)",
    "CREATE INDEX group_memberships_role ON group_memberships (role)",
    "CREATE INDEX sessions_user ON sessions (user_id)",
    "CREATE INDEX sessions_created ON sessions (created_at)",
    "CREATE INDEX throttle_at ON throttle (at)",
    "CREATE INDEX login_addresses_at ON login_addresses (at)",
    "CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at)",
};

constexpr std::string_view changes_pruned =
    R"(CREATE TRIGGER changes_pruned AFTER INSERT ON changes BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 1000000;
END)";

// They rely on no setting of the connection that writes: neither on foreign_keys, which must be on
// for SQLite to keep references, nor on recursive_triggers, without which REPLACE fires no trigger
// for what it deletes.
//
// So what belongs to a row is deleted here, too, when the row is deleted, and when a row comes
// under that id: what is there already belonged to another one. An id that others name stays, as
// with foreign_keys.
constexpr std::string_view triggers[] = {
    R"(CREATE TRIGGER roles_inserted AFTER INSERT ON roles BEGIN
    INSERT INTO changes (entity, key) VALUES ('role', NEW.id);
END)",
    R"(CREATE TRIGGER roles_updated AFTER UPDATE ON roles BEGIN
    INSERT INTO changes (entity, key) SELECT 'role', OLD.id WHERE OLD.id <> NEW.id;
    INSERT INTO changes (entity, key) VALUES ('role', NEW.id);
END)",
    R"(CREATE TRIGGER roles_deleted AFTER DELETE ON roles BEGIN
    INSERT INTO changes (entity, key) VALUES ('role', OLD.id);
END)",
    R"(CREATE TRIGGER organizations_inserted AFTER INSERT ON organizations BEGIN
    INSERT INTO changes (entity, key) VALUES ('organization', NEW.id);
    DELETE FROM tokens WHERE organization = NEW.id;
    DELETE FROM memberships WHERE organization = NEW.id;
    DELETE FROM group_memberships WHERE organization = NEW.id;
    DELETE FROM org_groups WHERE organization = NEW.id;
END)",
    R"(CREATE TRIGGER organizations_renamed BEFORE UPDATE OF id ON organizations
WHEN OLD.id <> NEW.id AND (EXISTS (SELECT 1 FROM tokens WHERE organization = OLD.id)
    OR EXISTS (SELECT 1 FROM memberships WHERE organization = OLD.id)
    OR EXISTS (SELECT 1 FROM group_memberships WHERE organization = OLD.id)
    OR EXISTS (SELECT 1 FROM org_groups WHERE organization = OLD.id)) BEGIN
    SELECT RAISE(ABORT, 'an organization with tokens, members or groups keeps its id');
END)",
    R"(CREATE TRIGGER organizations_updated AFTER UPDATE ON organizations BEGIN
    INSERT INTO changes (entity, key) SELECT 'organization', OLD.id WHERE OLD.id <> NEW.id;
    INSERT INTO changes (entity, key) VALUES ('organization', NEW.id);
    DELETE FROM tokens WHERE organization = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM memberships WHERE organization = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM group_memberships WHERE organization = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM org_groups WHERE organization = NEW.id AND OLD.id <> NEW.id;
END)",
    R"(CREATE TRIGGER organizations_deleted AFTER DELETE ON organizations BEGIN
    INSERT INTO changes (entity, key) VALUES ('organization', OLD.id);
    DELETE FROM tokens WHERE organization = OLD.id;
    DELETE FROM memberships WHERE organization = OLD.id;
    DELETE FROM group_memberships WHERE organization = OLD.id;
    DELETE FROM org_groups WHERE organization = OLD.id;
END)",
    R"(CREATE TRIGGER org_groups_inserted AFTER INSERT ON org_groups BEGIN
    DELETE FROM tokens WHERE organization = NEW.organization AND group_id = NEW.id;
    DELETE FROM group_memberships WHERE organization = NEW.organization AND group_id = NEW.id;
END)",
    R"(CREATE TRIGGER org_groups_renamed BEFORE UPDATE OF organization, id ON org_groups
WHEN (OLD.organization <> NEW.organization OR OLD.id <> NEW.id) AND (EXISTS
    (SELECT 1 FROM tokens WHERE organization = OLD.organization AND group_id = OLD.id) OR EXISTS
    (SELECT 1 FROM group_memberships WHERE organization = OLD.organization AND group_id = OLD.id))
BEGIN
    SELECT RAISE(ABORT, 'a group with tokens or members keeps its id');
END)",
    R"(CREATE TRIGGER org_groups_updated AFTER UPDATE ON org_groups
WHEN OLD.organization <> NEW.organization OR OLD.id <> NEW.id BEGIN
    DELETE FROM tokens WHERE organization = NEW.organization AND group_id = NEW.id;
    DELETE FROM group_memberships WHERE organization = NEW.organization AND group_id = NEW.id;
END)",
    R"(CREATE TRIGGER org_groups_deleted AFTER DELETE ON org_groups BEGIN
    DELETE FROM tokens WHERE organization = OLD.organization AND group_id = OLD.id;
    DELETE FROM group_memberships WHERE organization = OLD.organization AND group_id = OLD.id;
END)",
    // A technical user is part of its tokens' records in the store.
    R"(CREATE TRIGGER users_inserted AFTER INSERT ON users BEGIN
    INSERT INTO changes (entity, key) SELECT 'user', NEW.id WHERE NEW.technical = 0;
    DELETE FROM tokens WHERE user_id = NEW.id;
    DELETE FROM memberships WHERE user_id = NEW.id;
    DELETE FROM group_memberships WHERE user_id = NEW.id;
    DELETE FROM passwords WHERE user_id = NEW.id;
    DELETE FROM sessions WHERE user_id = NEW.id;
    DELETE FROM login_addresses WHERE user_id = NEW.id;
END)",
    R"(CREATE TRIGGER users_renamed BEFORE UPDATE OF id ON users
WHEN OLD.id <> NEW.id AND (EXISTS (SELECT 1 FROM tokens WHERE user_id = OLD.id)
    OR EXISTS (SELECT 1 FROM memberships WHERE user_id = OLD.id)
    OR EXISTS (SELECT 1 FROM group_memberships WHERE user_id = OLD.id)
    OR EXISTS (SELECT 1 FROM passwords WHERE user_id = OLD.id)) BEGIN
    SELECT RAISE(ABORT, 'a user with tokens, memberships or a password keeps its id');
END)",
    R"(CREATE TRIGGER users_updated AFTER UPDATE ON users BEGIN
    INSERT INTO changes (entity, key) SELECT 'user', OLD.id
        WHERE OLD.technical = 0 AND (OLD.id <> NEW.id OR NEW.technical = 1);
    INSERT INTO changes (entity, key) SELECT 'user', NEW.id WHERE NEW.technical = 0;
    DELETE FROM tokens WHERE user_id = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM memberships WHERE user_id = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM group_memberships WHERE user_id = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM passwords WHERE user_id = NEW.id AND OLD.id <> NEW.id;
    DELETE FROM login_addresses WHERE user_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id;
    DELETE FROM sessions WHERE user_id IN (OLD.id, NEW.id)
        AND (OLD.id <> NEW.id OR NEW.disabled <> 0);
    INSERT INTO changes (entity, key)
        SELECT 'token', digest FROM tokens WHERE user_id = NEW.id AND NEW.technical = 1;
END)",
    R"(CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
    INSERT INTO changes (entity, key) SELECT 'user', OLD.id WHERE OLD.technical = 0;
    DELETE FROM tokens WHERE user_id = OLD.id;
    DELETE FROM memberships WHERE user_id = OLD.id;
    DELETE FROM group_memberships WHERE user_id = OLD.id;
    DELETE FROM passwords WHERE user_id = OLD.id;
    DELETE FROM sessions WHERE user_id = OLD.id;
    DELETE FROM login_addresses WHERE user_id = OLD.id;
END)",
    // What REPLACE would delete unseen.
    R"(CREATE TRIGGER users_sso_name_inserted BEFORE INSERT ON users
WHEN NEW.sso_name <> '' AND EXISTS
    (SELECT 1 FROM users WHERE sso_name = NEW.sso_name AND id <> NEW.id) BEGIN
    SELECT RAISE(ABORT, 'another user has this sso_name');
END)",
    R"(CREATE TRIGGER users_sso_name_updated BEFORE UPDATE ON users
WHEN NEW.sso_name <> '' AND EXISTS
    (SELECT 1 FROM users WHERE sso_name = NEW.sso_name AND id NOT IN (NEW.id, OLD.id)) BEGIN
    SELECT RAISE(ABORT, 'another user has this sso_name');
END)",
    R"(CREATE TRIGGER organizations_system_inserted BEFORE INSERT ON organizations
WHEN NEW.system = 1 AND EXISTS (SELECT 1 FROM organizations WHERE system = 1 AND id <> NEW.id) BEGIN
    SELECT RAISE(ABORT, 'another organization is the system one');
END)",
    R"(CREATE TRIGGER organizations_system_updated BEFORE UPDATE ON organizations
WHEN NEW.system = 1 AND EXISTS
    (SELECT 1 FROM organizations WHERE system = 1 AND id NOT IN (NEW.id, OLD.id)) BEGIN
    SELECT RAISE(ABORT, 'another organization is the system one');
END)",
    // key: user and organization with a space between them
    R"(CREATE TRIGGER memberships_inserted AFTER INSERT ON memberships BEGIN
    INSERT INTO changes (entity, key)
        VALUES ('membership', NEW.user_id || ' ' || NEW.organization);
END)",
    R"(CREATE TRIGGER memberships_updated AFTER UPDATE ON memberships BEGIN
    INSERT INTO changes (entity, key)
        SELECT 'membership', OLD.user_id || ' ' || OLD.organization
        WHERE OLD.user_id <> NEW.user_id OR OLD.organization <> NEW.organization;
    INSERT INTO changes (entity, key)
        VALUES ('membership', NEW.user_id || ' ' || NEW.organization);
    DELETE FROM group_memberships WHERE user_id = OLD.user_id AND organization = OLD.organization
        AND (OLD.user_id <> NEW.user_id OR OLD.organization <> NEW.organization);
END)",
    // Who leaves an organization leaves its groups.
    R"(CREATE TRIGGER memberships_deleted AFTER DELETE ON memberships BEGIN
    INSERT INTO changes (entity, key)
        VALUES ('membership', OLD.user_id || ' ' || OLD.organization);
    DELETE FROM group_memberships WHERE user_id = OLD.user_id AND organization = OLD.organization;
END)",
    // key: the digest, by which the store knows a token. What REPLACE is about to delete is logged
    // before, with the technical users that it may leave without a token, last; if the statement
    // fails or ignores the row, that says too much, which does no harm.
    R"(CREATE TRIGGER tokens_replaced BEFORE INSERT ON tokens
WHEN EXISTS (SELECT 1 FROM tokens WHERE id = NEW.id OR digest = NEW.digest) BEGIN
    INSERT INTO changes (entity, key)
        SELECT 'token', digest FROM tokens WHERE id = NEW.id AND digest <> NEW.digest;
    INSERT INTO changes (entity, key) SELECT 'user', user_id FROM tokens
        WHERE (id = NEW.id OR digest = NEW.digest) AND user_id <> NEW.user_id
        AND user_id IN (SELECT id FROM users WHERE technical = 1);
END)",
    // A technical user goes with its last token.
    R"(CREATE TRIGGER tokens_inserted AFTER INSERT ON tokens BEGIN
    DELETE FROM users WHERE technical = 1 AND id IN (SELECT key FROM changes
            WHERE seq > (SELECT max(seq) FROM changes) - 2 AND entity = 'user')
        AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = users.id);
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END)",
    R"(CREATE TRIGGER tokens_displaced BEFORE UPDATE OF id, digest ON tokens
WHEN EXISTS (SELECT 1 FROM tokens WHERE (id = NEW.id OR digest = NEW.digest) AND id <> OLD.id) BEGIN
    INSERT INTO changes (entity, key)
        SELECT 'token', digest FROM tokens WHERE id = NEW.id AND id <> OLD.id;
    INSERT INTO changes (entity, key) SELECT 'user', user_id FROM tokens
        WHERE (id = NEW.id OR digest = NEW.digest) AND id <> OLD.id
        AND user_id IN (SELECT id FROM users WHERE technical = 1);
END)",
    R"(CREATE TRIGGER tokens_left AFTER UPDATE OF id, digest, user_id ON tokens BEGIN
    DELETE FROM users WHERE technical = 1 AND (id = OLD.user_id OR id IN (SELECT key FROM changes
            WHERE seq > (SELECT max(seq) FROM changes) - 4 AND entity = 'user'))
        AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = users.id);
END)",
    R"(CREATE TRIGGER tokens_updated AFTER UPDATE ON tokens BEGIN
    INSERT INTO changes (entity, key) SELECT 'token', OLD.digest WHERE OLD.digest <> NEW.digest;
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END)",
    R"(CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens BEGIN
    INSERT INTO changes (entity, key) VALUES ('token', OLD.digest);
    DELETE FROM users WHERE id = OLD.user_id AND technical = 1
        AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = OLD.user_id);
END)",
};

std::string create(const Table& table) {
    std::string constraints;
    for (const Check& check : checks(Engine::sqlite)) {
        if (check.table == table.name) {
            constraints +=
                fmt::format(",\n    CONSTRAINT {} CHECK ({})", check.name, check.expression);
        }
    }
    return fmt::format(fmt::runtime(table.definition), fmt::arg("checks", constraints));
}

// REPLACE deletes a row that has the new one's rowid, too, whatever its id.
void add_rowid_triggers(Statements& statements) {
    for (const std::string_view table : {"roles", "organizations", "org_groups", "users",
                                         "memberships", "group_memberships", "tokens"}) {
        statements.push_back(fmt::format(
            R"(CREATE TRIGGER {0}_rowid_taken BEFORE INSERT ON {0}
WHEN EXISTS (SELECT 1 FROM {0} WHERE rowid = NEW.rowid) BEGIN
    SELECT RAISE(ABORT, 'another row has this rowid; leave rowids to SQLite');
END)",
            table));
        statements.push_back(fmt::format(
            R"(CREATE TRIGGER {0}_rowid_changed BEFORE UPDATE ON {0}
WHEN NEW.rowid <> OLD.rowid BEGIN
    SELECT RAISE(ABORT, 'a row keeps its rowid; leave rowids to SQLite');
END)",
            table));
    }
}

void add_indexes_and_triggers(Statements& statements) {
    statements.insert(statements.end(), std::begin(indexes), std::end(indexes));
    statements.insert(statements.end(), std::begin(triggers), std::end(triggers));
    add_rowid_triggers(statements);
}

// Of one kind, on the tables that are made anew: "trigger", "index".
void drop_all(Session& session, std::string_view kind, Statements& statements) {
    const auto rows = session.query(
        "SELECT name FROM sqlite_master WHERE type = $1 AND sql IS NOT NULL AND tbl_name IN "
        "('roles', 'organizations', 'org_groups', 'users', 'memberships', 'tokens', 'audit')",
        {kind});
    while (rows->next()) {
        statements.push_back(fmt::format("DROP {} \"{}\"", kind, rows->text(0)));
    }
}

// Version 1's, of the table and separated by commas.
std::string columns_of(Session& session, std::string_view table) {
    std::string columns;
    const auto rows = session.query("SELECT name FROM pragma_table_info($1)", {table});
    while (rows->next()) {
        columns += fmt::format("{}{}", columns.empty() ? "" : ", ", rows->text(0));
    }
    return columns;
}

}  // namespace

Statements sqlite_schema() {
    Statements statements;
    for (const Table& table : kept_tables) {
        statements.push_back(create(table));
    }
    for (const Table& table : tables) {
        statements.push_back(create(table));
    }
    for (const Table& table : new_tables) {
        statements.push_back(create(table));
    }
    statements.insert(statements.end(), std::begin(waiting), std::end(waiting));
    statements.emplace_back(changes_pruned);
    add_indexes_and_triggers(statements);
    return statements;
}

// SQLite adds no check to a table that is there: new ones take the rows over. Until then nothing is
// logged, nor deleted by a trigger.
Statements sqlite_upgrade_before(Session& session) {
    Statements statements;
    drop_all(session, "trigger", statements);
    drop_all(session, "index", statements);
    statements.insert(statements.end(), std::begin(waiting), std::end(waiting));
    for (const Table& table : tables) {
        if (table.name == "audit") {
            statements.emplace_back("ALTER TABLE audit RENAME TO old_audit");
            statements.push_back(create(table));
            statements.emplace_back(
                "INSERT INTO audit (seq, at, actor, action, entity, key, detail) SELECT seq, at, "
                "actor, action, entity, key, detail FROM old_audit");
            statements.emplace_back("DROP TABLE old_audit");
        }
    }
    for (const Table& table : new_tables) {
        statements.push_back(create(table));
    }
    return statements;
}

Statements sqlite_upgrade_behind(Session& session) {
    Statements statements;
    const auto aside = session.query("SELECT 1 FROM set_aside LIMIT 1");
    if (aside->next()) {
        // No trigger has logged that.
        statements.emplace_back("INSERT INTO changes (entity, key) VALUES ('everything', '')");
        statements.emplace_back(
            "DELETE FROM users WHERE technical = 1 AND id NOT IN (SELECT user_id FROM tokens)");
    }
    for (const Table& table : tables) {
        if (table.name == "audit") {
            continue;
        }
        const std::string columns = columns_of(session, table.name);
        statements.push_back(fmt::format("ALTER TABLE {0} RENAME TO old_{0}", table.name));
        statements.push_back(create(table));
        statements.push_back(
            fmt::format("INSERT INTO {0} ({1}) SELECT {1} FROM old_{0}", table.name, columns));
        statements.push_back(fmt::format("DROP TABLE old_{}", table.name));
    }
    add_indexes_and_triggers(statements);
    return statements;
}

}  // namespace token_auth::registry
