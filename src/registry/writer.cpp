#include "registry/writer.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "registry/jsonl.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"

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

// What the trail says of a change from `before`, where there was one.
template <typename T>
Json change(const std::optional<T>& before, const T& after, std::string_view entity) {
    Json now = audit_detail(to_json(after), entity);
    if (!before) {
        return now;
    }
    return audit_difference(audit_detail(to_json(*before), entity), now);
}

std::string group_key(const Group& group) {
    return group.organization + "/" + group.id;
}

std::string membership_key(const Membership& membership) {
    return membership.user + " " + membership.organization;
}

// Keeps `created` where it is not given.
template <typename T>
void settle_created(T& entity, const std::optional<T>& before, std::int64_t now) {
    if (entity.created == 0) {
        entity.created = before ? before->created : now;
    }
}

}  // namespace

Json audit_detail(Json object, std::string_view entity) {
    object.erase("type");
    if (entity == "group" || entity == "membership") {
        object.erase("organization");
    }
    if (entity == "membership") {
        object.erase("user");
    } else {
        object.erase("id");
    }
    if (object.contains("digest")) {
        object.erase("digest");
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

Writer::Writer(soci::session& session, Author author)
    : Reader(session),
      author_(std::move(author)),
      put_role_(session,
                "INSERT INTO roles (id, scopes) VALUES (:id, :scopes) "
                "ON CONFLICT (id) DO UPDATE SET scopes = excluded.scopes"),
      put_organization_(session,
                        "INSERT INTO organizations (id, suspended, created_at) "
                        "VALUES (:id, :s, :at) ON CONFLICT (id) DO UPDATE "
                        "SET suspended = excluded.suspended, created_at = excluded.created_at"),
      put_group_(session,
                 "INSERT INTO org_groups (organization, id, created_at) VALUES (:org, :id, :at) "
                 "ON CONFLICT (organization, id) DO UPDATE SET created_at = excluded.created_at"),
      put_user_(session,
                "INSERT INTO users (id, technical, disabled, created_at) "
                "VALUES (:id, :t, :d, :at) ON CONFLICT (id) DO UPDATE "
                "SET disabled = excluded.disabled, created_at = excluded.created_at"),
      put_membership_(session,
                      "INSERT INTO memberships (user_id, organization, role, created_at) "
                      "VALUES (:usr, :org, :role, :at) ON CONFLICT (user_id, organization) "
                      "DO UPDATE SET role = excluded.role, created_at = excluded.created_at"),
      unlink_successor_(session,
                        "UPDATE tokens SET successor = NULL WHERE id = :other AND successor = :id"),
      unlink_predecessor_(
          session, "UPDATE tokens SET predecessor = NULL WHERE id = :other AND predecessor = :id"),
      delete_token_(session, "DELETE FROM tokens WHERE id = :id"),
      log_(session,
           "INSERT INTO audit (at, actor, action, entity, key, detail) "
           "VALUES (:at, :actor, :action, :entity, :key, :detail)") {}

void Writer::log(std::string_view action, std::string_view entity, const std::string& key,
                 const Json& detail) {
    log_.run(author_.now, author_.name, std::string(action), std::string(entity), key,
             detail.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Writer::require_organization(const std::string& id) {
    if (!organization(id)) {
        throw base::Error(fmt::format(
            "organization {} does not exist; `tokenctl org list` lists them, `tokenctl org add` "
            "makes one",
            base::quoted(id)));
    }
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
    put_role_.run(value.id, join_words(value.scopes));
    log(word(action, outcome), "role", value.id, change(before, value, "role"));
    return outcome;
}

Outcome Writer::put(Organization value, std::string_view action) {
    require_sound(value);
    const auto before = organization(value.id);
    settle_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_organization_.run(value.id, value.suspended ? 1 : 0, value.created);
    log(word(action, outcome), "organization", value.id, change(before, value, "organization"));
    return outcome;
}

Outcome Writer::put(Group value, std::string_view action) {
    require_sound(value);
    require_organization(value.organization);
    const auto before = group(value.organization, value.id);
    settle_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_group_.run(value.organization, value.id, value.created);
    log(word(action, outcome), "group", group_key(value), change(before, value, "group"));
    return outcome;
}

Outcome Writer::put(User value, std::string_view action) {
    require_sound(value);
    const auto before = user(value.id);
    settle_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    if (before && before->technical != value.technical) {
        throw base::Error(
            fmt::format("user {} is a {} already and cannot become the other; choose "
                        "another id",
                        base::quoted(value.id), before->technical ? "technical user" : "person"));
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_user_.run(value.id, value.technical ? 1 : 0, value.disabled ? 1 : 0, value.created);
    log(word(action, outcome), "user", value.id, change(before, value, "user"));
    return outcome;
}

Outcome Writer::put(Membership value, std::string_view action) {
    require_sound(value);
    const auto member = user(value.user);
    if (!member) {
        throw base::Error(fmt::format(
            "user {} does not exist; `tokenctl user list` lists them, `tokenctl user add` makes "
            "one",
            base::quoted(value.user)));
    }
    if (member->technical) {
        throw base::Error(
            fmt::format("user {} is a technical user, which is a member of nothing; name a person",
                        base::quoted(value.user)));
    }
    require_organization(value.organization);
    require_role(value.role);
    const auto before = membership(value.user, value.organization);
    settle_created(value, before, now());
    if (before == value) {
        return Outcome::unchanged;
    }
    const Outcome outcome = before ? Outcome::updated : Outcome::added;
    put_membership_.run(value.user, value.organization, value.role, value.created);
    log(word(action, outcome), "membership", membership_key(value),
        change(before, value, "membership"));
    return outcome;
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
    sql_ << "DELETE FROM roles WHERE id = :id", soci::use(value.id);
    log("remove", "role", value.id, audit_detail(to_json(value), "role"));
}

void Writer::remove(const Organization& value) {
    TokenFilter filter;
    filter.organization = value.id;
    remove_tokens(filter);
    remove_memberships({}, value.id);
    std::vector<Group> owned;
    groups(value.id, [&](const Group& each) { owned.push_back(each); });
    for (const Group& each : owned) {
        remove(each);
    }
    sql_ << "DELETE FROM organizations WHERE id = :id", soci::use(value.id);
    log("remove", "organization", value.id, audit_detail(to_json(value), "organization"));
}

void Writer::remove(const Group& value) {
    TokenFilter filter;
    filter.organization = value.organization;
    filter.group = value.id;
    remove_tokens(filter);
    sql_ << "DELETE FROM org_groups WHERE organization = :org AND id = :id",
        soci::use(value.organization), soci::use(value.id);
    log("remove", "group", group_key(value), audit_detail(to_json(value), "group"));
}

void Writer::remove(const User& value) {
    TokenFilter filter;
    filter.user = value.id;
    remove_tokens(filter);
    remove_memberships(value.id, {});
    // A technical user has gone with its last token.
    sql_ << "DELETE FROM users WHERE id = :id", soci::use(value.id);
    log("remove", "user", value.id, audit_detail(to_json(value), "user"));
}

void Writer::remove(const Membership& value) {
    sql_ << "DELETE FROM memberships WHERE user_id = :usr AND organization = :org",
        soci::use(value.user), soci::use(value.organization);
    log("remove", "membership", membership_key(value), audit_detail(to_json(value), "membership"));
}

void Writer::remove_memberships(const std::string& of_user, const std::string& of_organization) {
    std::vector<Membership> found;
    memberships(of_user, of_organization, [&](const Membership& each) { found.push_back(each); });
    for (const Membership& each : found) {
        remove(each);
    }
}

}  // namespace token_auth::registry
