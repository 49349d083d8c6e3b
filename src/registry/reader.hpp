// What a registry holds, read in one transaction.
//
// Lists come in byte order of their keys, and are not held in memory; callbacks may stop them by
// throwing only, and must not ask for another list.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "registry/model.hpp"
#include "registry/session.hpp"

namespace token_auth::registry {

// A token with what else decides about its status.
struct TokenView {
    Token token;
    bool organization_suspended = false;
};

enum class Status { active, revoked, expired, pending, disabled, suspended };
inline constexpr const char* status_names[] = {"active",  "revoked",  "expired",
                                               "pending", "disabled", "suspended"};

// The first that applies: revoked, disabled (its user is), expired, pending (not valid yet),
// suspended (its organization is), active.
Status status_of(const TokenView& view, std::int64_t now);
std::string status_name(Status status);

// Which tokens; empty members do not count.
struct TokenFilter {
    std::string organization;
    std::string group;
    std::string user;
    std::string role;
    std::string kind;
    std::int64_t expires_after = 0;
    std::int64_t expires_until = 0;
};

// Which memberships, of organizations and of groups; empty members do not count.
struct MemberFilter {
    std::string user;
    std::string organization;
    std::string group;  // of the organization
    std::string role;
};

struct AuditRow {
    std::int64_t seq = 0;
    std::int64_t at = 0;
    std::string session_user;  // who was logged in to the database; empty: SQLite, or version 1
    std::string actor;         // who that one said it was
    std::string via;           // one of via_names; empty: SQL, or version 1
    std::string token;         // the one that the actor came by
    std::string address;       // from where
    std::string action;
    std::string entity;
    std::string key;
    std::string organization;  // where it was
    std::string group;
    std::string detail;  // a JSON object
};

// Which rows of the audit trail; empty members do not count. `limit` keeps the latest, 0 all.
struct AuditFilter {
    std::int64_t since = 0;
    std::int64_t until = 0;
    std::string actor;
    std::string action;
    std::string entity;
    std::string key;
    std::string organization;
    std::string group;
    std::uint64_t limit = 0;
};

class Reader {
  public:
    // The session must be in a transaction and outlive the reader.
    explicit Reader(Session& session) : session_(session) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // Of the transaction; for what the registry keeps beside the model.
    Session& session() const { return session_; }

    std::optional<Role> role(const std::string& id);
    std::optional<Organization> organization(const std::string& id);
    std::optional<Group> group(const std::string& organization, const std::string& id);
    std::optional<User> user(const std::string& id);
    // In the group, if one is named, else in the organization.
    std::optional<Membership> membership(const std::string& user, const std::string& organization,
                                         const std::string& group = {});
    std::optional<ScopeEntry> scope_entry(const std::string& scope);
    std::optional<Organization> system_organization();
    // Whom single sign-on calls so.
    std::optional<User> user_of_sso_name(const std::string& name);
    std::optional<TokenView> token(const std::string& id);
    // Whatever its key.
    std::optional<TokenView> token_by_digest(const Digest& digest);
    // The id of the token with that digest, whatever its key.
    std::optional<std::string> token_of_digest(const Digest& digest);
    // By the audit trail, which outlives the successor.
    bool was_rotated(const std::string& token);

    // What will be asked for soon, with others (Session::expect).
    void expect_role(const std::string& id);
    void expect_organization(const std::string& id);
    void expect_user(const std::string& id);

    void roles(const std::function<void(const Role&)>& each);
    void organizations(const std::function<void(const Organization&)>& each);
    // Empty: of all organizations.
    void groups(const std::string& organization, const std::function<void(const Group&)>& each);
    void users(const std::function<void(const User&)>& each);
    // Those of organizations.
    void memberships(const MemberFilter& filter,
                     const std::function<void(const Membership&)>& each);
    // Those of groups.
    void group_memberships(const MemberFilter& filter,
                           const std::function<void(const Membership&)>& each);
    void scope_entries(const std::function<void(const ScopeEntry&)>& each);
    void tokens(const TokenFilter& filter, const std::function<void(const TokenView&)>& each);
    // As tokens(); nothing else of the rows needs to be right.
    void token_ids(const TokenFilter& filter, const std::function<void(const std::string&)>& each);
    void audit(const AuditFilter& filter, const std::function<void(const AuditRow&)>& each);

    std::uint64_t count_tokens(const TokenFilter& filter);
    // Those that are neither revoked nor expired at that time.
    std::uint64_t count_valid_tokens(const TokenFilter& filter, std::int64_t now);
    std::uint64_t count_memberships_with_role(const std::string& role);
    // Technical users that no token acts for; there are none in a sound registry.
    std::optional<std::string> idle_technical_user();

  protected:
    Session& session_;

  private:
    std::uint64_t count(std::string_view select, const Values& values);
};

}  // namespace token_auth::registry
