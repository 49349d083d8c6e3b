#include "registry/reader.hpp"

#include <fmt/format.h>

#include "registry/rows.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

// The WHERE of a SELECT and the values that it compares with; empty ones do not count.
class Conditions {
  public:
    void add(std::string_view condition, std::string_view value) {
        if (!value.empty()) {
            append(condition, value);
        }
    }
    void add(std::string_view condition, std::int64_t value) {
        if (value != 0) {
            append(condition, value);
        }
    }

    // "" or " WHERE organization = $1 AND …"
    const std::string& text() const { return text_; }
    const Values& values() const { return values_; }

  private:
    void append(std::string_view condition, Value value) {
        values_.push_back(value);
        text_ += fmt::format("{}{} ${}", values_.size() == 1 ? " WHERE " : " AND ", condition,
                             values_.size());
    }

    std::string text_;
    Values values_;
};

Conditions conditions_of(const TokenFilter& filter) {
    Conditions conditions;
    conditions.add("t.organization =", filter.organization);
    conditions.add("t.group_id =", filter.group);
    conditions.add("t.user_id =", filter.user);
    conditions.add("t.role =", filter.role);
    conditions.add("t.kind =", filter.kind);
    conditions.add("t.expires_at >", filter.expires_after);
    conditions.add("t.expires_at <=", filter.expires_until);
    return conditions;
}

// Of memberships in organizations.
Conditions conditions_of(const MemberFilter& filter) {
    Conditions conditions;
    conditions.add("user_id =", filter.user);
    conditions.add("organization =", filter.organization);
    conditions.add("role =", filter.role);
    return conditions;
}

// What `make` makes of the one row, if there is one.
template <typename Make>
auto only(const std::unique_ptr<Rows>& rows, const Make& make)
    -> std::optional<decltype(make(*rows))> {
    if (!rows->next()) {
        return std::nullopt;
    }
    return make(*rows);
}

template <typename Make, typename Each>
void all(const std::unique_ptr<Rows>& rows, const Make& make, const Each& each) {
    while (rows->next()) {
        each(make(*rows));
    }
}

std::string sql(std::string_view select, std::string_view rest) {
    return fmt::format("{}{}", select, rest);
}

constexpr std::string_view by_id = " WHERE id = $1";

}  // namespace

Status status_of(const TokenView& view, std::int64_t now) {
    const Token& token = view.token;
    if (token.revoked != 0) {
        return Status::revoked;
    }
    if (token.user_disabled) {
        return Status::disabled;
    }
    if (token.expires != 0 && token.expires <= now) {
        return Status::expired;
    }
    if (token.not_before > now) {
        return Status::pending;
    }
    return view.organization_suspended ? Status::suspended : Status::active;
}

std::string status_name(Status status) {
    return status_names[static_cast<std::size_t>(status)];
}

std::optional<Role> Reader::role(const std::string& id) {
    return only(session_.query(sql(select_roles, by_id), {id}), role_of);
}

std::optional<Organization> Reader::organization(const std::string& id) {
    return only(session_.query(sql(select_organizations, by_id), {id}), organization_of);
}

std::optional<Group> Reader::group(const std::string& organization, const std::string& id) {
    return only(session_.query(sql(select_groups, " WHERE organization = $1 AND id = $2"),
                               {organization, id}),
                group_of);
}

std::optional<User> Reader::user(const std::string& id) {
    return only(session_.query(sql(select_users, by_id), {id}), user_of);
}

std::optional<Membership> Reader::membership(const std::string& user,
                                             const std::string& organization,
                                             const std::string& group) {
    constexpr std::string_view where = " WHERE user_id = $1 AND organization = $2";
    if (group.empty()) {
        return only(session_.query(sql(select_memberships, where), {user, organization}),
                    membership_of);
    }
    return only(
        session_.query(fmt::format("{}{} AND group_id = $3", select_group_memberships, where),
                       {user, organization, group}),
        membership_of);
}

std::optional<ScopeEntry> Reader::scope_entry(const std::string& scope) {
    return only(session_.query(sql(select_scopes, " WHERE scope = $1"), {scope}), scope_of);
}

std::optional<Organization> Reader::system_organization() {
    return only(session_.query(sql(select_organizations, " WHERE system = 1")), organization_of);
}

std::optional<User> Reader::user_of_sso_name(const std::string& name) {
    return only(
        session_.query(sql(select_users, " WHERE sso_name = $1 AND sso_name <> ''"), {name}),
        user_of);
}

std::optional<TokenView> Reader::token(const std::string& id) {
    return only(session_.query(sql(select_tokens(), " WHERE t.id = $1"), {id}),
                [&](const Rows& row) { return view_of(row, session_.location()); });
}

std::optional<TokenView> Reader::token_by_digest(const Digest& digest) {
    return only(session_.query(sql(select_tokens(), " WHERE t.digest = $1"), {to_hex(digest)}),
                [&](const Rows& row) { return view_of(row, session_.location()); });
}

std::optional<std::string> Reader::token_of_digest(const Digest& digest) {
    return only(session_.query("SELECT id FROM tokens WHERE digest = $1", {to_hex(digest)}),
                [](const Rows& row) { return std::string(row.text(0)); });
}

bool Reader::was_rotated(const std::string& token) {
    const auto row = session_.query(
        "SELECT coalesce(sum(CASE action WHEN 'rotate' THEN 1 ELSE -1 END), 0) FROM audit WHERE "
        "entity = 'token' AND key = $1 AND action IN ('rotate', 'unrotate')",
        {token});
    return row->next() && row->integer(0) > 0;
}

void Reader::expect_role(const std::string& id) {
    session_.expect(sql(select_roles, by_id), {id});
}

void Reader::expect_organization(const std::string& id) {
    session_.expect(sql(select_organizations, by_id), {id});
}

void Reader::expect_user(const std::string& id) {
    session_.expect(sql(select_users, by_id), {id});
}

void Reader::roles(const std::function<void(const Role&)>& each) {
    all(session_.stream(sql(select_roles, " ORDER BY id")), role_of, each);
}

void Reader::organizations(const std::function<void(const Organization&)>& each) {
    all(session_.stream(sql(select_organizations, " ORDER BY id")), organization_of, each);
}

void Reader::groups(const std::string& organization,
                    const std::function<void(const Group&)>& each) {
    Conditions conditions;
    conditions.add("organization =", organization);
    all(session_.stream(sql(select_groups, conditions.text() + " ORDER BY organization, id"),
                        conditions.values()),
        group_of, each);
}

void Reader::users(const std::function<void(const User&)>& each) {
    all(session_.stream(sql(select_users, " ORDER BY id")), user_of, each);
}

void Reader::memberships(const MemberFilter& filter,
                         const std::function<void(const Membership&)>& each) {
    const Conditions conditions = conditions_of(filter);
    all(session_.stream(
            sql(select_memberships, conditions.text() + " ORDER BY user_id, organization"),
            conditions.values()),
        membership_of, each);
}

void Reader::group_memberships(const MemberFilter& filter,
                               const std::function<void(const Membership&)>& each) {
    Conditions conditions = conditions_of(filter);
    conditions.add("group_id =", filter.group);
    all(session_.stream(sql(select_group_memberships,
                            conditions.text() + " ORDER BY user_id, organization, group_id"),
                        conditions.values()),
        membership_of, each);
}

void Reader::scope_entries(const std::function<void(const ScopeEntry&)>& each) {
    all(session_.stream(sql(select_scopes, " ORDER BY scope")), scope_of, each);
}

void Reader::tokens(const TokenFilter& filter, const std::function<void(const TokenView&)>& each) {
    const Conditions conditions = conditions_of(filter);
    all(
        session_.stream(sql(select_tokens(), conditions.text() + " ORDER BY t.id"),
                        conditions.values()),
        [&](const Rows& row) { return view_of(row, session_.location()); }, each);
}

void Reader::token_ids(const TokenFilter& filter,
                       const std::function<void(const std::string&)>& each) {
    const Conditions conditions = conditions_of(filter);
    all(
        session_.stream(sql("SELECT t.id FROM tokens t", conditions.text() + " ORDER BY t.id"),
                        conditions.values()),
        [](const Rows& row) { return std::string(row.text(0)); }, each);
}

void Reader::audit(const AuditFilter& filter, const std::function<void(const AuditRow&)>& each) {
    Conditions conditions;
    conditions.add("at >=", filter.since);
    conditions.add("at <=", filter.until);
    conditions.add("actor =", filter.actor);
    conditions.add("action =", filter.action);
    conditions.add("entity =", filter.entity);
    conditions.add("key =", filter.key);
    conditions.add("organization =", filter.organization);
    conditions.add("group_id =", filter.group);
    const std::string limit =
        filter.limit == 0 ? "" : fmt::format(" ORDER BY seq DESC LIMIT {}", filter.limit);
    all(session_.stream(
            fmt::format("SELECT * FROM (SELECT {} FROM audit{}{}) AS latest ORDER BY seq",
                        audit_columns, conditions.text(), limit),
            conditions.values()),
        audit_row_of, each);
}

std::uint64_t Reader::count_tokens(const TokenFilter& filter) {
    const Conditions conditions = conditions_of(filter);
    return count(sql("SELECT count(*) FROM tokens t", conditions.text()), conditions.values());
}

std::uint64_t Reader::count_valid_tokens(const TokenFilter& filter, std::int64_t now) {
    Conditions conditions = conditions_of(filter);
    conditions.add("t.revoked_at = 0 AND (t.expires_at = 0 OR t.expires_at >", now);
    return count(fmt::format("SELECT count(*) FROM tokens t{})", conditions.text()),
                 conditions.values());
}

std::uint64_t Reader::count_memberships_with_role(const std::string& role) {
    return count(
        "SELECT (SELECT count(*) FROM memberships WHERE role = $1) + (SELECT count(*) FROM "
        "group_memberships WHERE role = $1)",
        {role});
}

std::uint64_t Reader::count(std::string_view select, const Values& values) {
    const auto row = session_.query(select, values);
    row->next();
    return static_cast<std::uint64_t>(row->integer(0));
}

std::optional<std::string> Reader::idle_technical_user() {
    return only(session_.query("SELECT id FROM users u WHERE technical = 1 AND NOT EXISTS "
                               "(SELECT 1 FROM tokens t WHERE t.user_id = u.id) "
                               "ORDER BY id LIMIT 1"),
                [](const Rows& row) { return std::string(row.text(0)); });
}

}  // namespace token_auth::registry
