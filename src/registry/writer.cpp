#include "registry/writer.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "registry/jsonl.hpp"
#include "registry/token_columns.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

using base::Json;

template <typename T>
void require_sound(const T& value) {
    if (const auto problem = check(value)) {
        throw base::Error(fmt::format("{} {}", problem->field, problem->text));
    }
}

std::string_view word(std::string_view action, Outcome outcome) {
    if (!action.empty()) {
        return action;
    }
    return outcome == Outcome::added ? "add" : "update";
}

// What the trail says of a change from `before`, if there was one.
template <typename T>
Json change(const std::optional<T>& before, const T& after, std::string_view entity) {
    Json now = audit_detail(to_json(after), entity);
    if (!before) {
        return now;
    }
    return audit_difference(audit_detail(to_json(*before), entity), now);
}

// A digest says nothing to people and has no place in the trail, but that it changed does.
Json token_difference(const Token& before, const Token& after) {
    Json out = audit_difference(audit_detail(to_json(before), "token"),
                                audit_detail(to_json(after), "token"));
    if (before.digest != after.digest) {
        out["digest"] = "changed";
    }
    return out;
}

// `created` if it is not given.
template <typename T>
void complete_created(T& entity, const std::optional<T>& before, std::int64_t now) {
    if (entity.created == 0) {
        entity.created = before ? before->created : now;
    }
}

AuditPlace place_of(const Token& token) {
    return {token.organization, token.group};
}

AuditPlace place_of(const Membership& membership) {
    return {membership.organization, membership.group};
}

}  // namespace

std::string audit_key(const Group& group) {
    return group.organization + "/" + group.id;
}

std::string audit_key(const Membership& membership) {
    return fmt::format("{} {}{}{}", membership.user, membership.organization,
                       membership.group.empty() ? "" : "/", membership.group);
}

Json audit_detail(Json object, std::string_view entity) {
    const auto drop = [&](std::initializer_list<const char*> fields) {
        for (const char* const field : fields) {
            object.erase(field);
        }
    };
    drop({"type", "digest"});
    if (entity == "membership") {
        drop({"user", "organization", "group"});
    } else if (entity == "group") {
        drop({"organization", "id"});
    } else {
        drop({entity == "scope" ? "scope" : "id"});
    }
    if (const auto policy = object.find("policy"); policy != object.end()) {
        const Json rules = *policy;
        object.erase("policy");
        for (const auto& [name, value] : rules.items()) {
            object["policy." + name] = value;
        }
    }
    return object;
}

Json audit_difference(const Json& from, const Json& to) {
    Json out = Json::object();
    for (const auto& [name, value] : from.items()) {
        const auto other = to.find(name);
        const Json after = other == to.end() ? Json() : *other;
        if (after != value) {
            out[name] = {{"from", value}, {"to", after}};
        }
    }
    for (const auto& [name, value] : to.items()) {
        if (!from.contains(name)) {
            out[name] = {{"from", Json()}, {"to", value}};
        }
    }
    return out;
}

void Writer::log(std::string_view action, std::string_view entity, const std::string& key,
                 const Json& detail, const AuditPlace& place) {
    session_.execute(
        "INSERT INTO audit (actor, via, token, address, action, entity, key, organization, "
        "group_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        {author_.name, author_.via, author_.token, author_.address, action, entity, key,
         place.organization, place.group,
         detail.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

void Writer::log_if(bool stays, std::string_view action, std::string_view entity,
                    const std::string& key, const Json& detail) {
    session_.execute("SAVEPOINT unlogged", {});
    if (stays) {
        log(action, entity, key, detail);
    } else {
        // PostgreSQL's files keep a row that is taken back, and the name may be a password.
        constexpr const char* nobody = "-";
        Author author = author_;
        author.name = nobody;
        Writer(session_, author).log(action, entity, nobody, Json::object());
    }
    session_.execute(stays ? "RELEASE SAVEPOINT unlogged" : "ROLLBACK TO SAVEPOINT unlogged", {});
}

void Writer::require_organization(const std::string& id) {
    if (!organization(id)) {
        throw base::Error(fmt::format(
            "organization {} does not exist; `tokenctl org list` lists them, `tokenctl org add` "
            "makes one",
            base::quoted(id)));
    }
}

void Writer::require_group(const std::string& organization, const std::string& id) {
    if (!group(organization, id)) {
        throw base::Error(fmt::format(
            "group {} does not exist; `tokenctl group list` lists them, `tokenctl group add` makes "
            "one",
            base::quoted(organization + "/" + id)));
    }
}

void Writer::require_only_system(const Organization& value) {
    const auto found = value.system ? system_organization() : std::nullopt;
    if (found && found->id != value.id) {
        throw base::Error(
            fmt::format("organization {} is the system organization already, and there is only one",
                        base::quoted(found->id)));
    }
}

void Writer::require_own_sso_name(const User& value) {
    const auto found = user_of_sso_name(value.sso_name);
    if (found && found->id != value.id) {
        throw base::Error(
            fmt::format("sso_name is that of user {} already; take it off there first",
                        base::quoted(found->id)));
    }
}

User Writer::require_user(const std::string& id) {
    auto found = user(id);
    if (!found) {
        throw base::Error(fmt::format(
            "user {} does not exist; `tokenctl user list` lists them, `tokenctl user add` makes "
            "one",
            base::quoted(id)));
    }
    return std::move(*found);
}

void Writer::require_role(const std::string& id) {
    if (!role(id)) {
        throw base::Error(fmt::format(
            "role {} does not exist; `tokenctl role list` lists them, `tokenctl role set` makes "
            "one",
            base::quoted(id)));
    }
}

Outcome Writer::put(Role value, std::string_view action) {
    value.scopes = canonical(std::move(value.scopes));
    require_sound(value);
    const auto before = role(value.id);
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    session_.execute(
        "INSERT INTO roles (id, scopes, description) VALUES ($1, $2, $3) ON CONFLICT (id) DO "
        "UPDATE SET scopes = excluded.scopes, description = excluded.description",
        {value.id, join_words(value.scopes), value.description});
    log(word(action, outcome), "role", value.id, change(before, value, "role"));
    return outcome;
}

Outcome Writer::put(ScopeEntry value, std::string_view action) {
    require_sound(value);
    const auto before = scope_entry(value.scope);
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    session_.execute(
        "INSERT INTO scopes (scope, description) VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET "
        "description = excluded.description",
        {value.scope, value.description});
    log(word(action, outcome), "scope", value.scope, change(before, value, "scope"));
    return outcome;
}

Outcome Writer::put(Organization value, std::string_view action) {
    require_sound(value);
    const auto before = organization(value.id);
    complete_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    require_only_system(value);
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    const Policy& policy = value.policy;
    session_.execute(
        "INSERT INTO organizations (id, suspended, created_at, display_name, max_life, "
        "default_life, require_allow, max_tokens) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (id) DO UPDATE SET suspended = excluded.suspended, "
        "created_at = excluded.created_at, display_name = excluded.display_name, "
        "max_life = excluded.max_life, default_life = excluded.default_life, "
        "require_allow = excluded.require_allow, max_tokens = excluded.max_tokens",
        {value.id, value.suspended ? 1 : 0, value.created, value.display_name, policy.max_life,
         policy.default_life, policy.require_allow ? 1 : 0, policy.max_tokens});
    if (value.system != (before && before->system)) {
        // By itself: not all accounts that write organizations may write this.
        session_.execute("UPDATE organizations SET system = $2 WHERE id = $1",
                         {value.id, value.system ? 1 : 0});
    }
    log(word(action, outcome), "organization", value.id, change(before, value, "organization"),
        {value.id, {}});
    return outcome;
}

Outcome Writer::put(Group value, std::string_view action) {
    require_sound(value);
    require_organization(value.organization);
    const auto before = group(value.organization, value.id);
    complete_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    session_.execute(
        "INSERT INTO org_groups (organization, id, created_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (organization, id) DO UPDATE SET created_at = excluded.created_at",
        {value.organization, value.id, value.created});
    log(word(action, outcome), "group", audit_key(value), change(before, value, "group"),
        {value.organization, value.id});
    return outcome;
}

Outcome Writer::put(User value, std::string_view action) {
    require_sound(value);
    const auto before = user(value.id);
    complete_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    if (before && before->technical != value.technical) {
        throw base::Error(
            fmt::format("user {} is a {} already and cannot become the other; choose "
                        "another id",
                        base::quoted(value.id), before->technical ? "technical user" : "person"));
    }
    require_own_sso_name(value);
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_row(value, before.has_value());
    log(word(action, outcome), "user", value.id, change(before, value, "user"));
    return outcome;
}

// Not as one statement for both: in PostgreSQL that fires the triggers of both.
void Writer::put_row(const User& user, bool is_there) {
    session_.execute(
        is_there
            ? "UPDATE users SET technical = $2, disabled = $3, created_at = $4, display_name = $5, "
              "email = $6, sso_name = $7 WHERE id = $1"
            : "INSERT INTO users (id, technical, disabled, created_at, display_name, email, "
              "sso_name) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        {user.id, user.technical ? 1 : 0, user.disabled ? 1 : 0, user.created, user.display_name,
         user.email, user.sso_name});
}

Outcome Writer::put(Membership value, std::string_view action) {
    require_sound(value);
    const User member = require_user(value.user);
    if (member.technical) {
        throw base::Error(
            fmt::format("user {} is a technical user, which is a member of nothing; name a person",
                        base::quoted(value.user)));
    }
    require_organization(value.organization);
    if (!value.group.empty()) {
        require_group(value.organization, value.group);
    }
    require_role(value.role);
    const auto before = membership(value.user, value.organization, value.group);
    complete_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_row(value);
    log(word(action, outcome), "membership", audit_key(value), change(before, value, "membership"),
        place_of(value));
    return outcome;
}

void Writer::put_row(const Membership& value) {
    Values values{value.user, value.organization, value.role, value.created};
    if (value.group.empty()) {
        session_.execute(
            "INSERT INTO memberships (user_id, organization, role, created_at) "
            "VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, organization) "
            "DO UPDATE SET role = excluded.role, created_at = excluded.created_at",
            values);
        return;
    }
    values.emplace_back(value.group);
    session_.execute(
        "INSERT INTO group_memberships (user_id, organization, role, created_at, group_id) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, organization, group_id) "
        "DO UPDATE SET role = excluded.role, created_at = excluded.created_at",
        values);
}

void Writer::remove(const Role& value) {
    const std::uint64_t members = count_memberships_with_role(value.id);
    TokenFilter filter;
    filter.role = value.id;
    const std::uint64_t tokens = count_tokens(filter);
    if (members + tokens > 0) {
        throw base::Error(fmt::format(
            "role {} is in use by {} and {}; give those another role or remove them first",
            base::quoted(value.id), base::counted(members, "membership"),
            base::counted(tokens, "token")));
    }
    session_.execute("DELETE FROM roles WHERE id = $1", {value.id});
    log("remove", "role", value.id, audit_detail(to_json(value), "role"));
}

void Writer::remove(const ScopeEntry& value) {
    session_.execute("DELETE FROM scopes WHERE scope = $1", {value.scope});
    log("remove", "scope", value.scope, audit_detail(to_json(value), "scope"));
}

void Writer::remove(const Organization& value) {
    TokenFilter filter;
    filter.organization = value.id;
    remove_tokens(filter);
    MemberFilter members;
    members.organization = value.id;
    remove_memberships(members);
    std::vector<Group> owned;
    groups(value.id, [&](const Group& each) { owned.push_back(each); });
    for (const Group& each : owned) {
        remove(each);
    }
    session_.execute("DELETE FROM organizations WHERE id = $1", {value.id});
    log("remove", "organization", value.id, audit_detail(to_json(value), "organization"),
        {value.id, {}});
}

void Writer::remove(const Group& value) {
    TokenFilter filter;
    filter.organization = value.organization;
    filter.group = value.id;
    remove_tokens(filter);
    MemberFilter members;
    members.organization = value.organization;
    members.group = value.id;
    remove_group_memberships(members);
    session_.execute("DELETE FROM org_groups WHERE organization = $1 AND id = $2",
                     {value.organization, value.id});
    log("remove", "group", audit_key(value), audit_detail(to_json(value), "group"),
        {value.organization, value.id});
}

void Writer::remove(const User& value) {
    TokenFilter filter;
    filter.user = value.id;
    remove_tokens(filter);
    MemberFilter of_user;
    of_user.user = value.id;
    remove_memberships(of_user);
    remove_group_memberships(of_user);
    // A technical user has gone with its last token.
    session_.execute("DELETE FROM users WHERE id = $1", {value.id});
    log("remove", "user", value.id, audit_detail(to_json(value), "user"));
}

void Writer::remove(const Membership& value) {
    if (value.group.empty()) {
        MemberFilter in_groups;
        in_groups.user = value.user;
        in_groups.organization = value.organization;
        remove_group_memberships(in_groups);
        session_.execute("DELETE FROM memberships WHERE user_id = $1 AND organization = $2",
                         {value.user, value.organization});
    } else {
        session_.execute(
            "DELETE FROM group_memberships WHERE user_id = $1 AND organization = $2 AND "
            "group_id = $3",
            {value.user, value.organization, value.group});
    }
    log("remove", "membership", audit_key(value), audit_detail(to_json(value), "membership"),
        place_of(value));
}

void Writer::remove_memberships(const MemberFilter& filter) {
    std::vector<Membership> found;
    memberships(filter, [&](const Membership& each) { found.push_back(each); });
    for (const Membership& each : found) {
        remove(each);
    }
}

void Writer::remove_group_memberships(const MemberFilter& filter) {
    std::vector<Membership> found;
    group_memberships(filter, [&](const Membership& each) { found.push_back(each); });
    for (const Membership& each : found) {
        remove(each);
    }
}

User Writer::technical_user(const Token& token, const std::optional<TokenView>& before,
                            bool is_random) {
    const std::string id = before && before->token.kind != kind_user ? before->token.user
                                                                     : technical_user_id(token.id);
    if (!is_identifier(id)) {
        throw base::Error(technical_user_too_long);
    }
    if (auto found = is_random ? std::nullopt : user(id)) {
        return std::move(*found);
    }
    User made{id, true, false, token.created};
    put_row(made, false);
    return made;
}

void Writer::require_subject(const Token& token, const User& subject) {
    if (token.kind == kind_user && subject.technical) {
        throw base::Error(
            fmt::format("user {} is a technical user, which has no personal tokens; name a person",
                        base::quoted(token.user)));
    }
    if (token.kind != kind_user && !subject.technical) {
        throw base::Error(fmt::format(
            "user {} is a person, but organization and group tokens act for technical users; leave "
            "the user out, and one is made",
            base::quoted(token.user)));
    }
}

void Writer::check_references(const Token& token) {
    if (!token.organization.empty()) {
        require_organization(token.organization);
    }
    if (!token.group.empty()) {
        require_group(token.organization, token.group);
    }
    if (!token.role.empty()) {
        require_role(token.role);
    }
}

void Writer::require_own_digest(const Token& token) {
    const auto holder = token_of_digest(token.digest.bytes);
    if (holder && *holder != token.id) {
        throw base::Error(fmt::format(
            "digest is that of token {} already; delete that one first, or leave this one out",
            base::quoted(*holder)));
    }
}

void Writer::find_subject(Token& token, const std::optional<TokenView>& before, bool is_random) {
    const User subject =
        token.user.empty() ? technical_user(token, before, is_random) : require_user(token.user);
    token.user = subject.id;
    token.user_disabled = subject.disabled;
    require_subject(token, subject);
}

void Writer::add(Token& value, std::string_view action) {
    value.scopes = canonical(std::move(value.scopes));
    require_sound(value);
    if (value.created == 0) {
        value.created = now();
    }
    check_references(value);
    find_subject(value, std::nullopt, true);
    put_token(session_, value, false);
    log(action, "token", value.id, audit_detail(to_json(value), "token"), place_of(value));
}

Outcome Writer::put(Token value, std::string_view action) {
    value.scopes = canonical(std::move(value.scopes));
    require_sound(value);
    const auto before = token(value.id);
    if (value.created == 0) {
        value.created = before ? before->token.created : now();
    }
    check_references(value);
    require_own_digest(value);
    find_subject(value, before, false);
    if (before && before->token == value) {
        return Outcome::unchanged;
    }
    put_token(session_, value, before.has_value());
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    log(word(action, outcome), "token", value.id,
        before ? token_difference(before->token, value) : audit_detail(to_json(value), "token"),
        place_of(value));
    return outcome;
}

// A column that is 0 unless its row is locked out.
struct Writer::Lock {
    std::string_view table;
    std::string_view column;
    std::string_view entity;  // these and `field` are for the audit trail
    std::string_view field;
    std::string_view lock;
    std::string_view unlock;
    bool is_time = false;
};

std::optional<Outcome> Writer::set_lock(const Lock& lock, const std::string& id, bool locked) {
    std::int64_t before = 0;
    {
        const auto row = session_.query(
            fmt::format("SELECT {} FROM {} WHERE id = $1", lock.column, lock.table), {id});
        if (!row->next()) {
            return std::nullopt;
        }
        before = row->integer(0);
    }
    if ((before != 0) == locked) {
        return Outcome::unchanged;
    }
    const std::int64_t after = !locked ? 0 : lock.is_time ? now() : 1;
    session_.execute(fmt::format("UPDATE {} SET {} = $2 WHERE id = $1", lock.table, lock.column),
                     {id, after});
    const auto shown = [&](std::int64_t value) {
        return value == 0 ? Json() : lock.is_time ? Json(base::format_time(value)) : Json(true);
    };
    log(locked ? lock.lock : lock.unlock, lock.entity, id,
        {{lock.field, {{"from", shown(before)}, {"to", shown(after)}}}},
        stored_place(lock.table, id));
    return Outcome::updated;
}

AuditPlace Writer::stored_place(std::string_view table, const std::string& id) {
    if (table == "organizations") {
        return {id, {}};
    }
    if (table != "tokens") {
        return {};
    }
    const auto row =
        session_.query("SELECT organization, group_id FROM tokens WHERE id = $1", {id});
    return row->next() ? AuditPlace{std::string(row->text(0)), std::string(row->text(1))}
                       : AuditPlace{};
}

std::optional<Outcome> Writer::set_suspended(const std::string& organization, bool suspended) {
    return set_lock(
        {"organizations", "suspended", "organization", "suspended", "suspend", "resume"},
        organization, suspended);
}

std::optional<Outcome> Writer::set_disabled(const std::string& user, bool disabled) {
    return set_lock({"users", "disabled", "user", "disabled", "disable", "enable"}, user, disabled);
}

std::optional<Outcome> Writer::set_revoked(const std::string& token, bool revoked) {
    return set_lock({"tokens", "revoked_at", "token", "revoked", "revoke", "restore", true}, token,
                    revoked);
}

// In PostgreSQL to lock the row would not do: the one that waits for it would go on with what it
// saw before. SQLite lets one write at a time.
void Writer::claim_organization(const std::string& id) {
    if (session_.engine() == Engine::postgresql) {
        session_.execute("UPDATE organizations SET max_tokens = max_tokens WHERE id = $1", {id});
    }
}

void Writer::claim_user(const std::string& id) {
    if (session_.engine() == Engine::postgresql) {
        session_.execute("UPDATE users SET disabled = disabled WHERE id = $1", {id});
    }
}

void Writer::unlink(const char* column, const std::string& other, const std::string& id) {
    const std::string where = fmt::format("WHERE id = $1 AND {} = $2", column);
    if (session_.query(fmt::format("SELECT 1 FROM tokens {}", where), {other, id})->next()) {
        session_.execute(fmt::format("UPDATE tokens SET {} = NULL {}", column, where), {other, id});
        log("unlink", "token", other, Json{{"from", id}}, stored_place("tokens", other));
    }
}

Json Writer::last_detail(const std::string& id) {
    try {
        return audit_detail(to_json(token(id)->token), "token");
    } catch (const SqlError&) {
        throw;
    } catch (const base::Error&) {
        return Json::object();
    }
}

bool Writer::remove_token(const std::string& id) {
    std::string predecessor;
    std::string successor;
    {
        const auto row =
            session_.query("SELECT predecessor, successor FROM tokens WHERE id = $1", {id});
        if (!row->next()) {
            return false;
        }
        predecessor = row->text(0);
        successor = row->text(1);
    }
    const Json detail = last_detail(id);
    const AuditPlace place = stored_place("tokens", id);
    // Whoever was linked to it is so no longer: it may be rotated again.
    unlink("successor", predecessor, id);
    unlink("predecessor", successor, id);
    session_.execute("DELETE FROM tokens WHERE id = $1", {id});
    log(removal_action, "token", id, detail, place);
    return true;
}

void Writer::remove_tokens(const TokenFilter& filter) {
    std::vector<std::string> ids;
    token_ids(filter, [&](const std::string& id) { ids.push_back(id); });
    for (const std::string& id : ids) {
        remove_token(id);
    }
}

}  // namespace token_auth::registry
