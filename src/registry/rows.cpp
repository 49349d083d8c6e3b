#include "registry/rows.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {

const char* const select_token_rows =
    "SELECT t.id, t.prefix, t.digest, t.key_id, t.kind, t.user_id, COALESCE(t.organization, ''), "
    "COALESCE(t.group_id, ''), COALESCE(t.role, ''), t.scopes, t.name, t.description, t.allow, "
    "t.created_at, t.not_before, t.expires_at, t.revoked_at, COALESCE(t.predecessor, ''), "
    "COALESCE(t.successor, ''), u.disabled, COALESCE(o.suspended, 0) "
    "FROM tokens t JOIN users u ON u.id = t.user_id "
    "LEFT JOIN organizations o ON o.id = t.organization";

void bind_into(soci::statement& statement, TokenRow& row) {
    using soci::into;
    statement.exchange(into(row.id));
    statement.exchange(into(row.prefix));
    statement.exchange(into(row.digest));
    statement.exchange(into(row.key_id));
    statement.exchange(into(row.kind));
    statement.exchange(into(row.user));
    statement.exchange(into(row.organization));
    statement.exchange(into(row.group));
    statement.exchange(into(row.role));
    statement.exchange(into(row.scopes));
    statement.exchange(into(row.name));
    statement.exchange(into(row.description));
    statement.exchange(into(row.allow));
    statement.exchange(into(row.created));
    statement.exchange(into(row.not_before));
    statement.exchange(into(row.expires));
    statement.exchange(into(row.revoked));
    statement.exchange(into(row.predecessor));
    statement.exchange(into(row.successor));
    statement.exchange(into(row.user_disabled));
    statement.exchange(into(row.organization_suspended));
}

const char* const upsert_token_row =
    "INSERT INTO tokens (id, prefix, digest, key_id, kind, user_id, organization, "
    "group_id, role, scopes, name, description, allow, created_at, not_before, "
    "expires_at, revoked_at, predecessor, successor) VALUES (:id, :prefix, :digest, "
    ":key, :kind, :usr, NULLIF(:org, ''), NULLIF(:grp, ''), NULLIF(:role, ''), :scopes, "
    ":name, :description, :allow, :created, :not_before, :expires, :revoked, "
    "NULLIF(:predecessor, ''), NULLIF(:successor, '')) "
    "ON CONFLICT (id) DO UPDATE SET prefix = excluded.prefix, digest = excluded.digest, "
    "key_id = excluded.key_id, kind = excluded.kind, user_id = excluded.user_id, "
    "organization = excluded.organization, group_id = excluded.group_id, "
    "role = excluded.role, scopes = excluded.scopes, name = excluded.name, "
    "description = excluded.description, allow = excluded.allow, "
    "created_at = excluded.created_at, not_before = excluded.not_before, "
    "expires_at = excluded.expires_at, revoked_at = excluded.revoked_at, "
    "predecessor = excluded.predecessor, successor = excluded.successor";

void bind_use(soci::statement& statement, const TokenRow& row) {
    using soci::use;
    statement.exchange(use(row.id));
    statement.exchange(use(row.prefix));
    statement.exchange(use(row.digest));
    statement.exchange(use(row.key_id));
    statement.exchange(use(row.kind));
    statement.exchange(use(row.user));
    statement.exchange(use(row.organization));
    statement.exchange(use(row.group));
    statement.exchange(use(row.role));
    statement.exchange(use(row.scopes));
    statement.exchange(use(row.name));
    statement.exchange(use(row.description));
    statement.exchange(use(row.allow));
    statement.exchange(use(row.created));
    statement.exchange(use(row.not_before));
    statement.exchange(use(row.expires));
    statement.exchange(use(row.revoked));
    statement.exchange(use(row.predecessor));
    statement.exchange(use(row.successor));
}

TokenRow row_of(const Token& token) {
    TokenRow row;
    row.id = token.id;
    row.prefix = token.prefix;
    row.digest = to_hex(token.digest.bytes);
    row.key_id = token.digest.key_id;
    row.kind = kind_name(token.kind);
    row.user = token.user;
    row.organization = token.organization;
    row.group = token.group;
    row.role = token.role;
    row.scopes = join_words(token.scopes);
    row.name = token.name;
    row.description = token.description;
    row.allow = join_words(token.allow);
    row.created = token.created;
    row.not_before = token.not_before;
    row.expires = token.expires;
    row.revoked = token.revoked;
    row.predecessor = token.predecessor;
    row.successor = token.successor;
    return row;
}

Token token_of(const TokenRow& row) {
    const auto bad = [&](const char* what) {
        return base::Error(fmt::format(
            "the registry's token {} has {}; delete it, or restore the registry from a backup",
            base::quoted(row.id), what));
    };
    Token token;
    const auto digest = from_hex(row.digest);
    if (!digest) {
        throw bad("a digest that is not 64 hex digits");
    }
    if (row.key_id < 0 || row.key_id > 0xFFFFFFFFLL) {
        throw bad("a key id out of range");
    }
    if (!kind_of_name(row.kind, token.kind)) {
        throw bad("an unknown kind");
    }
    token.id = row.id;
    token.prefix = row.prefix;
    token.digest = {static_cast<KeyId>(row.key_id), *digest};
    token.user = row.user;
    token.organization = row.organization;
    token.group = row.group;
    token.role = row.role;
    token.scopes = canonical(split_words(row.scopes));
    token.name = row.name;
    token.description = row.description;
    token.allow = split_words(row.allow);
    token.created = row.created;
    token.not_before = row.not_before;
    token.expires = row.expires;
    token.revoked = row.revoked;
    token.predecessor = row.predecessor;
    token.successor = row.successor;
    token.user_disabled = row.user_disabled != 0;
    return token;
}

}  // namespace token_auth::registry
