/* The schema of version 1, as tokenctl init made it. */
PRAGMA application_id = 0x746b6175;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE roles (
    id     TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    scopes TEXT NOT NULL
);
CREATE TABLE organizations (
    id         TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    suspended  INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    created_at BIGINT NOT NULL
);
CREATE TABLE org_groups (
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id           TEXT NOT NULL
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
);
CREATE TABLE users (
    id         TEXT PRIMARY KEY
        CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'),
    technical  INTEGER NOT NULL DEFAULT 0 CHECK (technical IN (0, 1)),
    disabled   INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at BIGINT NOT NULL
);
CREATE TABLE memberships (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role         TEXT NOT NULL REFERENCES roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization)
);
CREATE INDEX memberships_organization ON memberships (organization);
CREATE INDEX memberships_role ON memberships (role);
CREATE TABLE tokens (
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
);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_organization ON tokens (organization, group_id);
CREATE INDEX tokens_role ON tokens (role);
CREATE INDEX tokens_expires ON tokens (expires_at);
CREATE TABLE changes (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    mark   BIGINT NOT NULL DEFAULT (random())
);
CREATE TRIGGER changes_pruned AFTER INSERT ON changes BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 1000000;
END;
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TRIGGER roles_inserted AFTER INSERT ON roles BEGIN
    INSERT INTO changes (entity, key) VALUES ('role', NEW.id);
END;
CREATE TRIGGER roles_updated AFTER UPDATE ON roles BEGIN
    INSERT INTO changes (entity, key) SELECT 'role', OLD.id WHERE OLD.id <> NEW.id;
    INSERT INTO changes (entity, key) VALUES ('role', NEW.id);
END;
CREATE TRIGGER roles_deleted AFTER DELETE ON roles BEGIN
    INSERT INTO changes (entity, key) VALUES ('role', OLD.id);
END;
CREATE TRIGGER organizations_inserted AFTER INSERT ON organizations BEGIN
    INSERT INTO changes (entity, key) VALUES ('organization', NEW.id);
END;
CREATE TRIGGER organizations_updated AFTER UPDATE ON organizations BEGIN
    INSERT INTO changes (entity, key) SELECT 'organization', OLD.id WHERE OLD.id <> NEW.id;
    INSERT INTO changes (entity, key) VALUES ('organization', NEW.id);
END;
CREATE TRIGGER organizations_deleted AFTER DELETE ON organizations BEGIN
    INSERT INTO changes (entity, key) VALUES ('organization', OLD.id);
END;
CREATE TRIGGER users_inserted AFTER INSERT ON users WHEN NEW.technical = 0 BEGIN
    INSERT INTO changes (entity, key) VALUES ('user', NEW.id);
END;
CREATE TRIGGER users_updated AFTER UPDATE ON users BEGIN
    INSERT INTO changes (entity, key) SELECT 'user', OLD.id
        WHERE OLD.technical = 0 AND (OLD.id <> NEW.id OR NEW.technical = 1);
    INSERT INTO changes (entity, key) SELECT 'user', NEW.id WHERE NEW.technical = 0;
    INSERT INTO changes (entity, key)
        SELECT 'token', digest FROM tokens
        WHERE user_id = NEW.id AND (NEW.technical = 1 OR OLD.id <> NEW.id);
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users WHEN OLD.technical = 0 BEGIN
    INSERT INTO changes (entity, key) VALUES ('user', OLD.id);
END;
CREATE TRIGGER memberships_inserted AFTER INSERT ON memberships BEGIN
    INSERT INTO changes (entity, key)
        VALUES ('membership', NEW.user_id || ' ' || NEW.organization);
END;
CREATE TRIGGER memberships_updated AFTER UPDATE ON memberships BEGIN
    INSERT INTO changes (entity, key)
        SELECT 'membership', OLD.user_id || ' ' || OLD.organization
        WHERE OLD.user_id <> NEW.user_id OR OLD.organization <> NEW.organization;
    INSERT INTO changes (entity, key)
        VALUES ('membership', NEW.user_id || ' ' || NEW.organization);
END;
CREATE TRIGGER memberships_deleted AFTER DELETE ON memberships BEGIN
    INSERT INTO changes (entity, key)
        VALUES ('membership', OLD.user_id || ' ' || OLD.organization);
END;
CREATE TRIGGER tokens_inserted AFTER INSERT ON tokens BEGIN
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END;
CREATE TRIGGER tokens_updated AFTER UPDATE ON tokens BEGIN
    INSERT INTO changes (entity, key) SELECT 'token', OLD.digest WHERE OLD.digest <> NEW.digest;
    INSERT INTO changes (entity, key) VALUES ('token', NEW.digest);
END;
CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens BEGIN
    INSERT INTO changes (entity, key) VALUES ('token', OLD.digest);
    DELETE FROM users WHERE id = OLD.user_id AND technical = 1
        AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = OLD.user_id);
END;
INSERT INTO meta (name, value) VALUES ('registry_id', '00112233445566778899aabbccddeeff'),
    ('created_at', '1700000000');
COMMIT;
