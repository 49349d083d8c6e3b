#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "registry/checks.hpp"
#include "registry/schema.hpp"

namespace token_auth::registry {
namespace {

// Keys are COLLATE "C": the store's order is that of bytes, whatever the database's own is.
constexpr std::string_view version_1[] = {
    R"(CREATE SCHEMA token_auth)",
    R"(CREATE TABLE token_auth.meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
))",
    R"(CREATE TABLE token_auth.roles (
    id     TEXT COLLATE "C" PRIMARY KEY,
    scopes TEXT NOT NULL
))",
    R"(CREATE TABLE token_auth.organizations (
    id         TEXT COLLATE "C" PRIMARY KEY,
    suspended  INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
))",
    R"(CREATE TABLE token_auth.org_groups (
    organization TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.organizations (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
))",
    R"(CREATE TABLE token_auth.users (
    id           TEXT COLLATE "C" PRIMARY KEY,
    technical    INTEGER NOT NULL DEFAULT 0,
    disabled     INTEGER NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL
))",
    // few: so that reading tokens need not pass over all users to find them
    R"(CREATE INDEX users_disabled ON token_auth.users (id) WHERE disabled = 1)",
    R"(CREATE TABLE token_auth.memberships (
    user_id      TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.users (id) ON DELETE CASCADE,
    organization TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.organizations (id) ON DELETE CASCADE,
    role         TEXT COLLATE "C" NOT NULL REFERENCES token_auth.roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization)
))",
    R"(CREATE INDEX memberships_organization ON token_auth.memberships (organization))",
    R"(CREATE INDEX memberships_role ON token_auth.memberships (role))",
    // digest: 64 lower-case hex digits; key_id: 0 for plain SHA-256
    R"(CREATE TABLE token_auth.tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    prefix       TEXT NOT NULL DEFAULT '',
    digest       TEXT COLLATE "C" NOT NULL UNIQUE,
    key_id       BIGINT NOT NULL DEFAULT 0,
    kind         TEXT NOT NULL,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES token_auth.users (id) ON DELETE CASCADE,
    organization TEXT COLLATE "C" REFERENCES token_auth.organizations (id) ON DELETE CASCADE,
    group_id     TEXT COLLATE "C",
    role         TEXT COLLATE "C" REFERENCES token_auth.roles (id),
    scopes       TEXT NOT NULL DEFAULT '',
    name         TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    allow        TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    not_before   BIGINT NOT NULL DEFAULT 0,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    predecessor  TEXT COLLATE "C",
    successor    TEXT COLLATE "C",
    FOREIGN KEY (organization, group_id) REFERENCES token_auth.org_groups (organization, id)
        ON DELETE CASCADE
))",
    R"(CREATE INDEX tokens_user ON token_auth.tokens (user_id))",
    R"(CREATE INDEX tokens_organization ON token_auth.tokens (organization, group_id))",
    R"(CREATE INDEX tokens_role ON token_auth.tokens (role))",
    R"(CREATE INDEX tokens_expires ON token_auth.tokens (expires_at))",
    // xid: the transaction that wrote the row. Transactions end in another order than they
    // draw numbers in, so what a reader has seen is told by snapshots, not by seq.
    // mark: a random number, by which a registry restored from a backup is told from the one
    // that a store was synced from
    R"(CREATE TABLE token_auth.changes (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid    XID8 NOT NULL DEFAULT pg_current_xact_id(),
    entity TEXT COLLATE "C" NOT NULL,
    key    TEXT COLLATE "C" NOT NULL,
    mark   BIGINT NOT NULL DEFAULT floor(random() * 9007199254740992)
))",
    R"(CREATE INDEX changes_xid ON token_auth.changes (xid))",
    R"(CREATE TABLE token_auth.audit (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    entity TEXT NOT NULL,
    key    TEXT COLLATE "C" NOT NULL,
    detail TEXT NOT NULL
))",
    // Holds nothing: whoever runs tokenctl locks it, so that one writes after the other.
    R"(CREATE TABLE token_auth.write_lock ())",

    // How the log is shortened. Transactions end late, with old numbers: at the time of a mark,
    // all below its horizon had ended, and what they wrote goes once a million rows came after
    // the mark. Whoever has not seen all transactions below `pruned_below` may have missed
    // some.
    R"(CREATE TABLE token_auth.log_state (
    pruned_below XID8 NOT NULL,
    mark_horizon XID8 NOT NULL,
    mark_seq     BIGINT NOT NULL
))",
    R"(INSERT INTO token_auth.log_state
    VALUES ('0', pg_snapshot_xmin(pg_current_snapshot()), 0))",
};

// Statement-level triggers with transition tables log a statement of a million rows as one.
// Functions that write the log are SECURITY DEFINER: nobody else needs a right to it.
constexpr std::string_view functions[] = {
    // Not where a snapshot holds for the whole transaction: a row that another one has pruned
    // since would end it. tokenctl, which works so, calls this when it is done.
    R"(CREATE OR REPLACE FUNCTION token_auth.prune_changes(most BIGINT) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
DECLARE
    last     BIGINT;
    oldest   XID8;
    newest   XID8;
    restored BOOLEAN;
    state    log_state;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    -- by an index each: a plan that reads the log would cost every writer
    SELECT seq INTO last FROM changes ORDER BY seq DESC LIMIT 1;
    SELECT xid INTO oldest FROM changes ORDER BY xid LIMIT 1;
    SELECT xid INTO newest FROM changes ORDER BY xid DESC LIMIT 1;
    SELECT * INTO state FROM log_state;
    IF last IS NULL THEN
        RETURN;
    END IF;
    -- from a dump of a cluster that had counted further than this one
    restored := greatest(newest, state.mark_horizon)
        > greatest(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned());
    IF NOT restored AND last - state.mark_seq < 1000000 AND oldest >= state.pruned_below THEN
        RETURN;
    END IF;
    -- where somebody is at it already, that will do
    SELECT * INTO state FROM log_state FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF restored THEN
        DELETE FROM changes
            WHERE xid > greatest(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id());
        UPDATE log_state SET pruned_below = '0', mark_seq = last,
            mark_horizon = pg_snapshot_xmin(pg_current_snapshot());
        RETURN;
    END IF;
    IF last - state.mark_seq >= 1000000 THEN
        state.pruned_below := state.mark_horizon;
        UPDATE log_state SET pruned_below = mark_horizon, mark_seq = last,
            mark_horizon = pg_snapshot_xmin(pg_current_snapshot());
    END IF;
    DELETE FROM changes WHERE seq IN (
        SELECT seq FROM changes WHERE xid < state.pruned_below ORDER BY xid LIMIT most);
END
$$)",
    R"(CREATE OR REPLACE FUNCTION token_auth.announce_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM new_rows) THEN
        IF current_setting('transaction_isolation') = 'read committed' THEN
            PERFORM prune_changes(2 * (SELECT count(*) FROM new_rows));
        END IF;
        -- tokenctl and tokenapi announce what they have committed, so that no commit waits for
        -- another one's
        IF current_setting('token_auth.announce', true) IN ('later', 'due') THEN
            PERFORM set_config('token_auth.announce', 'due', false);
        ELSE
            PERFORM pg_notify('token_auth', '');
        END IF;
    END IF;
    RETURN NULL;
END
$$)",
    // The argument is the entity.
    R"(CREATE OR REPLACE FUNCTION token_auth.log_by_id() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO changes (entity, key) SELECT TG_ARGV[0], id FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO changes (entity, key) SELECT TG_ARGV[0], id FROM old_rows;
    ELSE
        INSERT INTO changes (entity, key)
            SELECT TG_ARGV[0], id FROM old_rows UNION SELECT TG_ARGV[0], id FROM new_rows;
    END IF;
    RETURN NULL;
END
$$)",
    // key: user and organization with a space between them
    R"(CREATE OR REPLACE FUNCTION token_auth.log_memberships() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO changes (entity, key)
            SELECT 'membership', user_id || ' ' || organization FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO changes (entity, key)
            SELECT 'membership', user_id || ' ' || organization FROM old_rows;
    ELSE
        INSERT INTO changes (entity, key)
            SELECT 'membership', user_id || ' ' || organization FROM old_rows
            UNION SELECT 'membership', user_id || ' ' || organization FROM new_rows;
    END IF;
    -- who leaves an organization leaves its groups
    IF TG_OP = 'DELETE' THEN
        DELETE FROM group_memberships g USING old_rows o
            WHERE g.user_id = o.user_id AND g.organization = o.organization;
    ELSIF TG_OP = 'UPDATE' THEN
        DELETE FROM group_memberships g USING old_rows o
            WHERE g.user_id = o.user_id AND g.organization = o.organization AND NOT EXISTS (
                SELECT 1 FROM new_rows n
                WHERE n.user_id = o.user_id AND n.organization = o.organization);
    END IF;
    RETURN NULL;
END
$$)",
    // A technical user is part of its tokens' records in the store.
    R"(CREATE OR REPLACE FUNCTION token_auth.log_users() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT 1 FROM new_rows WHERE technical = 0) THEN
            INSERT INTO changes (entity, key)
                SELECT 'user', id FROM new_rows WHERE technical = 0;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO changes (entity, key)
            SELECT 'user', id FROM old_rows WHERE technical = 0;
    ELSE
        INSERT INTO changes (entity, key)
            SELECT 'user', id FROM old_rows WHERE technical = 0
            UNION SELECT 'user', id FROM new_rows WHERE technical = 0
            UNION SELECT 'token', digest FROM tokens WHERE user_id IN (
                SELECT id FROM new_rows n WHERE technical = 1
                    OR NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id));
        -- When one is enabled, too: a log-in beside the disabling may have left one.
        DELETE FROM sessions WHERE user_id IN (
            SELECT id FROM new_rows WHERE disabled <> 0
            UNION SELECT id FROM old_rows WHERE disabled <> 0);
    END IF;
    RETURN NULL;
END
$$)",
    // key: the digest, by which the store knows a token. A technical user goes with its last
    // token; it is locked before the others are looked for, as one may just be coming.
    R"(CREATE OR REPLACE FUNCTION token_auth.log_tokens() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
DECLARE
    left_by TEXT[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO changes (entity, key) SELECT 'token', digest FROM new_rows;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO changes (entity, key)
            SELECT 'token', digest FROM old_rows UNION SELECT 'token', digest FROM new_rows;
        left_by := ARRAY(SELECT user_id FROM old_rows EXCEPT SELECT user_id FROM new_rows);
    ELSE
        INSERT INTO changes (entity, key) SELECT 'token', digest FROM old_rows;
        left_by := ARRAY(SELECT DISTINCT user_id FROM old_rows);
    END IF;
    IF cardinality(left_by) > 0 THEN
        PERFORM 1 FROM users WHERE technical = 1 AND id = ANY (left_by) ORDER BY id FOR UPDATE;
        DELETE FROM users u WHERE technical = 1 AND id = ANY (left_by)
            AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.user_id = u.id);
    END IF;
    RETURN NULL;
END
$$)",
    R"(CREATE OR REPLACE FUNCTION token_auth.log_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = token_auth, pg_temp AS $$
BEGIN
    INSERT INTO changes (entity, key) VALUES ('everything', '');
    RETURN NULL;
END
$$)",
};

constexpr std::string_view triggers[] = {
    R"(CREATE TRIGGER changes_inserted AFTER INSERT ON token_auth.changes
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION token_auth.announce_changes())",
    R"(DO $$
DECLARE
    pair TEXT[];
BEGIN
    FOREACH pair SLICE 1 IN ARRAY ARRAY[
        ['roles', 'log_by_id(''role'')'], ['organizations', 'log_by_id(''organization'')'],
        ['users', 'log_users()'], ['memberships', 'log_memberships()'],
        ['tokens', 'log_tokens()']] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_inserted AFTER INSERT ON token_auth.%1$s
            REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION token_auth.%2$s', pair[1], pair[2]);
        EXECUTE format('CREATE TRIGGER %1$s_updated AFTER UPDATE ON token_auth.%1$s
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION token_auth.%2$s', pair[1], pair[2]);
        EXECUTE format('CREATE TRIGGER %1$s_deleted AFTER DELETE ON token_auth.%1$s
            REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION token_auth.%2$s', pair[1], pair[2]);
        EXECUTE format('CREATE TRIGGER %1$s_truncated AFTER TRUNCATE ON token_auth.%1$s
            FOR EACH STATEMENT EXECUTE FUNCTION token_auth.log_truncate()', pair[1]);
    END LOOP;
END
$$)",
};

constexpr std::string_view version_2[] = {
    R"(ALTER TABLE token_auth.users ADD COLUMN display_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN email TEXT NOT NULL DEFAULT '')",
    // What the database knows better than whoever writes the row: when, and who was logged in.
    R"(ALTER TABLE token_auth.audit ADD COLUMN "session_user" TEXT NOT NULL DEFAULT '')",
    R"(ALTER TABLE token_auth.audit ALTER COLUMN "session_user" SET DEFAULT session_user,
    ALTER COLUMN at SET DEFAULT floor(extract(epoch FROM clock_timestamp())))",
    // by which tokensync and imports find a token's last row
    R"(CREATE INDEX audit_key ON token_auth.audit (entity, key))",
    // rows of version 1 that the tables of version 2 refuse; kept: the row stayed, mended
    R"(CREATE TABLE token_auth.set_aside (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp())),
    entity  TEXT NOT NULL,
    key     TEXT COLLATE "C",
    reason  TEXT NOT NULL,
    kept    INTEGER NOT NULL,
    content TEXT NOT NULL
))",
    // what the tokensync of each nginx host says of itself (hosts.hpp)
    R"(CREATE TABLE token_auth.hosts (
    host          TEXT COLLATE "C" PRIMARY KEY,
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
))",
    // and of the tokens' last use (usage.hpp). Without a foreign key, which would lock the tokens;
    // with room in its pages, so that an update need not touch the index.
    R"(CREATE TABLE token_auth.token_usage (
    token     TEXT COLLATE "C" PRIMARY KEY,
    last_used BIGINT NOT NULL,
    address   TEXT NOT NULL,
    count     BIGINT NOT NULL
) WITH (fillfactor = 70))",
    // until: somebody waits for the hosts up to then
    R"(CREATE TABLE token_auth.waiting (until BIGINT NOT NULL))",
    R"(INSERT INTO token_auth.waiting (until) VALUES (0))",
};

// The same, for managing. No change of new tables is logged: the store knows nothing of them.
constexpr std::string_view version_2_managing[] = {
    R"(ALTER TABLE token_auth.roles ADD COLUMN description TEXT NOT NULL DEFAULT '')",
    R"(ALTER TABLE token_auth.organizations ADD COLUMN display_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN system INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN max_life BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN default_life BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN require_allow INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN max_tokens BIGINT NOT NULL DEFAULT 0)",
    R"(CREATE UNIQUE INDEX organizations_system ON token_auth.organizations (system)
    WHERE system = 1)",
    R"(ALTER TABLE token_auth.users ADD COLUMN sso_name TEXT COLLATE "C" NOT NULL DEFAULT '')",
    R"(CREATE UNIQUE INDEX users_sso_name ON token_auth.users (sso_name) WHERE sso_name <> '')",
    R"(ALTER TABLE token_auth.tokens ADD COLUMN created_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN created_via TEXT NOT NULL DEFAULT '')",
    R"(CREATE INDEX tokens_created_by ON token_auth.tokens (created_by))",
    // for lists in pages, in byte order and by the beginning of a name
    R"(ALTER TABLE token_auth.tokens ALTER COLUMN name TYPE TEXT COLLATE "C")",
    R"(CREATE INDEX tokens_listed_created ON token_auth.tokens (organization, created_at, id))",
    R"(DROP INDEX token_auth.tokens_organization)",
    R"(CREATE INDEX tokens_listed_own ON token_auth.tokens (organization, created_at, id)
    WHERE group_id IS NULL)",
    R"(CREATE INDEX tokens_listed_group ON token_auth.tokens (organization, group_id, created_at, id)
    WHERE group_id IS NOT NULL)",
    R"(CREATE INDEX tokens_listed_revoked ON token_auth.tokens (organization, created_at, id)
    WHERE revoked_at <> 0)",
    R"(CREATE INDEX tokens_listed_pending ON token_auth.tokens (organization, created_at, id)
    WHERE not_before <> 0)",
    R"(CREATE INDEX tokens_listed_name ON token_auth.tokens (organization, name, id))",
    R"(CREATE INDEX tokens_listed_expires ON token_auth.tokens (organization,
    (CASE WHEN expires_at = 0 THEN 9223372036854775807 ELSE expires_at END), id))",
    R"(CREATE INDEX organizations_listed ON token_auth.organizations (created_at, id))",
    R"(CREATE INDEX org_groups_listed ON token_auth.org_groups (organization, created_at, id))",
    R"(DROP INDEX token_auth.memberships_organization)",
    R"(CREATE INDEX memberships_organization
    ON token_auth.memberships (organization, created_at, user_id))",
    // organization and group_id name where it was; nothing that the trail names need be there any
    // more
    R"(ALTER TABLE token_auth.audit ADD COLUMN via TEXT NOT NULL DEFAULT '',
    ADD COLUMN token TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN address TEXT NOT NULL DEFAULT '',
    ADD COLUMN organization TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN group_id TEXT COLLATE "C" NOT NULL DEFAULT '')",
    R"(CREATE INDEX audit_organization ON token_auth.audit (organization, seq)
    WHERE organization <> '')",
    R"(CREATE INDEX audit_actor ON token_auth.audit (actor, seq))",
    R"(CREATE INDEX audit_token ON token_auth.audit (token, seq) WHERE token <> '')",
    R"(CREATE INDEX users_people ON token_auth.users (created_at, id) WHERE technical = 0)",
    // the catalogue
    R"(CREATE TABLE token_auth.scopes (
    scope       TEXT COLLATE "C" PRIMARY KEY,
    description TEXT NOT NULL DEFAULT ''
))",
    // for managing alone
    R"(CREATE TABLE token_auth.group_memberships (
    user_id      TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.users (id) ON DELETE CASCADE,
    organization TEXT COLLATE "C" NOT NULL,
    group_id     TEXT COLLATE "C" NOT NULL,
    role         TEXT COLLATE "C" NOT NULL REFERENCES token_auth.roles (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, organization, group_id),
    FOREIGN KEY (organization, group_id) REFERENCES token_auth.org_groups (organization, id)
        ON DELETE CASCADE
))",
    R"(CREATE INDEX group_memberships_group
    ON token_auth.group_memberships (organization, group_id))",
    R"(CREATE INDEX group_memberships_listed
    ON token_auth.group_memberships (organization, created_at, user_id, group_id))",
    R"(CREATE INDEX group_memberships_role ON token_auth.group_memberships (role))",
    R"(CREATE TABLE token_auth.passwords (
    user_id    TEXT COLLATE "C" PRIMARY KEY
        REFERENCES token_auth.users (id) ON DELETE CASCADE,
    hash       TEXT NOT NULL,
    changed_at BIGINT NOT NULL
))",
    // id: the SHA-256 of what the cookie holds
    R"(CREATE TABLE token_auth.sessions (
    id         TEXT COLLATE "C" PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    address    TEXT NOT NULL DEFAULT ''
))",
    R"(CREATE INDEX sessions_user ON token_auth.sessions (user_id))",
    R"(CREATE INDEX sessions_created ON token_auth.sessions (created_at))",
    // Tries of a second. key: the SHA-256 of what is counted (a name, an address, or both); at = 0:
    // what a try locks while it counts
    R"(CREATE TABLE token_auth.throttle (
    key   TEXT COLLATE "C" NOT NULL,
    at    BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (key, at)
))",
    R"(CREATE INDEX throttle_at ON token_auth.throttle (at))",
    // from where somebody has logged in, and when last
    R"(CREATE TABLE token_auth.login_addresses (
    user_id TEXT COLLATE "C" NOT NULL
        REFERENCES token_auth.users (id) ON DELETE CASCADE,
    address TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, address)
))",
    R"(CREATE INDEX login_addresses_at ON token_auth.login_addresses (at))",
    // caller: who used the key; body: the SHA-256 of the request's; token: the one that it made,
    // which may be gone
    R"(CREATE TABLE token_auth.idempotency_keys (
    caller     TEXT COLLATE "C" NOT NULL,
    path       TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    body       TEXT NOT NULL,
    token      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, path, key)
))",
    R"(CREATE INDEX idempotency_keys_created ON token_auth.idempotency_keys (created_at))",
};

// Version 1's had no names of their own.
constexpr std::string_view drop_checks = R"(DO $$
DECLARE
    old RECORD;
BEGIN
    FOR old IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'token_auth'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', old.relation, old.conname);
    END LOOP;
END
$$)";

// What a group role may, as GRANT says it. Passwords, sessions and what guards them are for
// token_auth_api alone; which organization is the system one, not for that.
struct RoleGrants {
    std::string_view role;
    std::vector<std::string_view> rights;
};

const std::vector<RoleGrants>& role_grants() {
    static const std::vector<RoleGrants> all = {
        {"token_auth_reader",
         {"USAGE ON SCHEMA token_auth",
          "SELECT ON token_auth.meta, token_auth.roles, token_auth.organizations, "
          "token_auth.org_groups, token_auth.users, token_auth.memberships, token_auth.tokens, "
          "token_auth.changes, token_auth.log_state, token_auth.hosts, token_auth.token_usage, "
          "token_auth.waiting",
          // which tokens were removed on purpose
          "SELECT (seq, action, entity, key) ON token_auth.audit"}},
        {"token_auth_writer",
         {"USAGE ON SCHEMA token_auth",
          "SELECT ON token_auth.meta, token_auth.changes, token_auth.log_state, token_auth.audit, "
          "token_auth.set_aside, token_auth.hosts, token_auth.token_usage, token_auth.waiting",
          "SELECT, INSERT, UPDATE, DELETE ON token_auth.roles, token_auth.scopes, "
          "token_auth.organizations, token_auth.org_groups, token_auth.users, "
          "token_auth.memberships, token_auth.group_memberships, token_auth.tokens",
          // the trail can be added to, not changed
          "INSERT (actor, via, token, address, action, entity, key, organization, group_id, "
          "detail) "
          "ON token_auth.audit",
          "UPDATE ON token_auth.write_lock, token_auth.waiting",
          "EXECUTE ON FUNCTION token_auth.prune_changes(BIGINT)"}},
        {"token_auth_reporter",
         {"USAGE ON SCHEMA token_auth",
          "SELECT, INSERT, UPDATE, DELETE ON token_auth.hosts, token_auth.token_usage",
          "SELECT (id) ON token_auth.tokens"}},
        {"token_auth_api",
         {"USAGE ON SCHEMA token_auth",
          "SELECT ON token_auth.meta, token_auth.audit, token_auth.organizations, "
          "token_auth.token_usage",
          "SELECT, INSERT, UPDATE, DELETE ON token_auth.roles, token_auth.scopes, "
          "token_auth.org_groups, token_auth.users, token_auth.memberships, "
          "token_auth.group_memberships, token_auth.tokens, token_auth.passwords, "
          "token_auth.sessions, token_auth.throttle, token_auth.login_addresses, "
          "token_auth.idempotency_keys",
          "INSERT (id, suspended, created_at, display_name, max_life, default_life, require_allow, "
          "max_tokens), UPDATE (suspended, created_at, display_name, max_life, default_life, "
          "require_allow, max_tokens), DELETE ON token_auth.organizations",
          "INSERT (actor, via, token, address, action, entity, key, organization, group_id, "
          "detail) "
          "ON token_auth.audit",
          "UPDATE ON token_auth.write_lock",
          "EXECUTE ON FUNCTION token_auth.prune_changes(BIGINT)"}},
    };
    return all;
}

std::string make_role(std::string_view role) {
    return fmt::format(R"(DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{0}') THEN
        CREATE ROLE {0} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- by an init of another database
END
$$)",
                       role);
}

std::string grant(const RoleGrants& grants) {
    std::string statements;
    for (const std::string_view right : grants.rights) {
        statements += fmt::format("GRANT {} TO {};\n", right, grants.role);
    }
    return statements;
}

// In a migration. If a role is not there, whoever makes it grants what the documentation says. One
// that is new is made if this account may do so and the older ones are there.
std::string regrant(const RoleGrants& grants) {
    return fmt::format(R"(DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'token_auth_reader')
        AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{0}') THEN
        BEGIN
            CREATE ROLE {0} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
            NULL;
        END;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{0}') THEN
        REVOKE INSERT ON token_auth.audit FROM {0};
        {1}
    END IF;
END
$$)",
                       grants.role, grant(grants));
}

template <std::size_t Size>
void append(Statements& to, const std::string_view (&more)[Size]) {
    to.insert(to.end(), std::begin(more), std::end(more));
}

// One statement a table, so that each is read once.
void add_checks(Statements& statements) {
    for (std::string& function : postgresql_check_functions()) {
        statements.push_back(std::move(function));
    }
    std::string_view table;
    for (const Check& check : postgresql_table_checks()) {
        if (check.table != table) {
            table = check.table;
            statements.push_back(fmt::format("ALTER TABLE token_auth.{}", table));
        } else {
            statements.back() += ',';
        }
        statements.back() +=
            fmt::format("\n    ADD CONSTRAINT {} CHECK ({})", check.name, check.expression);
    }
}

void add_functions(Statements& statements) {
    append(statements, functions);
    statements.emplace_back("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA token_auth FROM PUBLIC");
}

}  // namespace

Statements postgresql_schema() {
    Statements statements;
    append(statements, version_1);
    append(statements, version_2);
    append(statements, version_2_managing);
    add_functions(statements);
    add_checks(statements);
    append(statements, triggers);
    return statements;
}

Statements postgresql_upgrade_before() {
    Statements statements;
    append(statements, version_2);
    append(statements, version_2_managing);
    return statements;
}

Statements postgresql_upgrade_behind() {
    Statements statements{std::string(drop_checks)};
    add_functions(statements);
    add_checks(statements);
    for (const RoleGrants& grants : role_grants()) {
        statements.push_back(regrant(grants));
    }
    return statements;
}

Statements postgresql_roles() {
    Statements statements;
    for (const RoleGrants& grants : role_grants()) {
        statements.push_back(make_role(grants.role));
        for (const std::string_view right : grants.rights) {
            statements.push_back(fmt::format("GRANT {} TO {}", right, grants.role));
        }
    }
    return statements;
}

}  // namespace token_auth::registry
