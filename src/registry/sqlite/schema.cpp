#include "registry/schema.hpp"

namespace token_auth::registry {

const std::vector<std::string_view>& sqlite_schema() {
    static const std::vector<std::string_view> statements = {
        R"(CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
))",
        R"(CREATE TABLE roles (
    id     TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    scopes TEXT NOT NULL
))",
        R"(CREATE TABLE organizations (
    id         TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    suspended  INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    created_at BIGINT NOT NULL
))",
        R"(CREATE TABLE org_groups (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id           TEXT NOT NULL
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
))",
        R"(CREATE TABLE users (
    id           TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    technical    INTEGER NOT NULL DEFAULT 0 CHECK (technical IN (0, 1)),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   BIGINT NOT NULL,
    display_name TEXT NOT NULL DEFAULT '',
    email        TEXT NOT NULL DEFAULT ''
))",
        R"(CREATE TABLE memberships (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role         TEXT NOT NULL REFERENCES roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization)
))",
        R"(CREATE INDEX memberships_organization ON memberships (organization))",
        R"(CREATE INDEX memberships_role ON memberships (role))",
        // digest: 64 lower-case hex digits; key_id: 0 for plain SHA-256
        R"(CREATE TABLE tokens (
    id           TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    prefix       TEXT NOT NULL DEFAULT '',
    digest       TEXT NOT NULL UNIQUE
        CHECK (length(digest) = 64 AND digest NOT GLOB '*[^0-9a-f]*'),
    key_id       BIGINT NOT NULL DEFAULT 0,
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'group', 'user')),
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
    FOREIGN KEY (organization, group_id) REFERENCES org_groups (organization, id)
        ON DELETE CASCADE,
    CHECK (not_before BETWEEN 0 AND 253402300799 AND expires_at BETWEEN 0 AND 253402300799
        AND revoked_at BETWEEN 0 AND 253402300799),
    CHECK ((kind = 'user') = (organization IS NULL)),
    CHECK ((kind = 'group') = (group_id IS NOT NULL))
))",
        R"(CREATE INDEX tokens_user ON tokens (user_id))",
        R"(CREATE INDEX tokens_organization ON tokens (organization, group_id))",
        R"(CREATE INDEX tokens_role ON tokens (role))",
        R"(CREATE INDEX tokens_expires ON tokens (expires_at))",
        // mark: a random number, by which a registry restored from a backup is told from the one
        // that a store was synced from
        R"(CREATE TABLE changes (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    mark   BIGINT NOT NULL DEFAULT (random())
))",
        R"(CREATE TRIGGER changes_pruned AFTER INSERT ON changes BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 1000000;
END)",
        R"(CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    detail TEXT NOT NULL
))",
        // by which tokensync and imports find a token's last row
        R"(CREATE INDEX audit_key ON audit (entity, key))",
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
END)",
        R"(CREATE TRIGGER organizations_updated AFTER UPDATE ON organizations BEGIN
    INSERT INTO changes (entity, key) SELECT 'organization', OLD.id WHERE OLD.id <> NEW.id;
    INSERT INTO changes (entity, key) VALUES ('organization', NEW.id);
END)",
        R"(CREATE TRIGGER organizations_deleted AFTER DELETE ON organizations BEGIN
    INSERT INTO changes (entity, key) VALUES ('organization', OLD.id);
END)",
        // A technical user is part of its tokens' records in the store.
        R"(CREATE TRIGGER users_inserted AFTER INSERT ON users WHEN NEW.technical = 0 BEGIN
    INSERT INTO changes (entity, key) VALUES ('user', NEW.id);
END)",
        R"(CREATE TRIGGER users_updated AFTER UPDATE ON users BEGIN
    INSERT INTO changes (entity, key) SELECT 'user', OLD.id
        WHERE OLD.technical = 0 AND (OLD.id <> NEW.id OR NEW.technical = 1);
    INSERT INTO changes (entity, key) SELECT 'user', NEW.id WHERE NEW.technical = 0;
    INSERT INTO changes (entity, key)
        SELECT 'token', digest FROM tokens
        WHERE user_id = NEW.id AND (NEW.technical = 1 OR OLD.id <> NEW.id);
END)",
        R"(CREATE TRIGGER users_deleted AFTER DELETE ON users WHEN OLD.technical = 0 BEGIN
    INSERT INTO changes (entity, key) VALUES ('user', OLD.id);
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
END)",
        R"(CREATE TRIGGER memberships_deleted AFTER DELETE ON memberships BEGIN
    INSERT INTO changes (entity, key)
        VALUES ('membership', OLD.user_id || ' ' || OLD.organization);
END)",
        // key: the digest, by which the store knows a token
        R"(CREATE TRIGGER tokens_inserted AFTER INSERT ON tokens BEGIN
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END)",
        R"(CREATE TRIGGER tokens_updated AFTER UPDATE ON tokens BEGIN
    INSERT INTO changes (entity, key) SELECT 'token', OLD.digest WHERE OLD.digest <> NEW.digest;
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END)",
        // A technical user goes with its last token.
        R"(CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens BEGIN
    INSERT INTO changes (entity, key) VALUES ('token', OLD.digest);
    DELETE FROM users WHERE id = OLD.user_id AND technical = 1
        AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = OLD.user_id);
END)",
    };
    return statements;
}

const std::vector<std::string_view>& sqlite_upgrade(int from) {
    static const std::vector<std::string_view> from_1 = {
        R"(ALTER TABLE users ADD COLUMN display_name TEXT NOT NULL DEFAULT '')",
        R"(ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '')",
        R"(CREATE INDEX audit_key ON audit (entity, key))",
    };
    static const std::vector<std::string_view> none;
    return from == 1 ? from_1 : none;
}

}  // namespace token_auth::registry
