// Changes of a registry, each with its row in the audit trail, in one write transaction.
//
// Nothing here needs undoing by the caller: an exception thrown out of Registry::write() rolls
// everything back. Errors are base::Error; the text names the thing and the remedy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_fwd.hpp"
#include "registry/reader.hpp"

namespace token_auth::registry {

// Who changes the registry, and when (Unix seconds).
struct Author {
    std::string name;
    std::int64_t now = 0;
    std::string via = "tokenctl";  // one of via_names
    std::string token = {};        // the one that the caller came by
    std::string address = {};      // from where
};

// Where something is, for the audit trail; either may be empty.
struct AuditPlace {
    std::string organization;
    std::string group;
};

// What put() did.
enum class Outcome { added, updated, unchanged };

class Writer : public Reader {
  public:
    Writer(Session& session, Author author) : Reader(session), author_(std::move(author)) {}

    std::int64_t now() const { return author_.now; }
    const Author& author() const { return author_; }

    // Make the entity be as given: check it (validate.hpp) and what it names, then add or update
    // it, or do nothing if it is so already. Empty `created` becomes that of the entity there
    // is, or now. `action` is the word for the audit trail; empty: "add" or "update".
    Outcome put(Role role, std::string_view action = {});
    Outcome put(ScopeEntry entry, std::string_view action = {});
    Outcome put(Organization organization, std::string_view action = {});
    Outcome put(Group group, std::string_view action = {});
    Outcome put(User user, std::string_view action = {});
    Outcome put(Membership membership, std::string_view action = {});
    // If an organization's or group's token names no user, it gets the technical user of the
    // token there is, or a new one, "tu-<id>".
    Outcome put(Token token, std::string_view action = {});
    // One whose id and digest are random, and so nobody's: the tables refuse it if they are not. It
    // becomes what the registry holds.
    void add(Token& token, std::string_view action);

    // Lock one out, or take that back; nullopt if there is no such one. Nothing else of its row is
    // read or checked, so that these work on rows that no put() would take.
    std::optional<Outcome> set_suspended(const std::string& organization, bool suspended);
    std::optional<Outcome> set_disabled(const std::string& user, bool disabled);
    std::optional<Outcome> set_revoked(const std::string& token, bool revoked);

    // Remove the entity with all that hangs on it (its tokens, memberships, groups), each with a
    // row of its own in the audit trail. It must exist.
    void remove(const Role& role);
    void remove(const ScopeEntry& entry);
    void remove(const Organization& organization);
    void remove(const Group& group);
    void remove(const User& user);
    void remove(const Membership& membership);  // of an organization: with those of its groups
    void remove(const Token& token) { remove_token(token.id); }
    // The same by the id; nothing else of the row needs to be right. False if there is no such one.
    bool remove_token(const std::string& id);

    // What counts tokens and then adds one asks for this first: of two such transactions at a time,
    // the second one begins again and sees what the first one did.
    void claim_organization(const std::string& id);
    void claim_user(const std::string& id);

    // Adds a row to the audit trail, for what changes no entity.
    void log(std::string_view action, std::string_view entity, const std::string& key,
             const base::Json& detail, const AuditPlace& place = {});
    // The same, or the same work without a row in the end.
    void log_if(bool stays, std::string_view action, std::string_view entity,
                const std::string& key, const base::Json& detail);

  private:
    void remove_tokens(const TokenFilter& filter);
    void remove_memberships(const MemberFilter& filter);
    void remove_group_memberships(const MemberFilter& filter);

    void require_organization(const std::string& id);
    void require_group(const std::string& organization, const std::string& id);
    void require_only_system(const Organization& organization);
    void require_own_sso_name(const User& user);
    User require_user(const std::string& id);
    void require_role(const std::string& id);
    // The one that an organization's or group's token acts for, made if it is not there.
    User technical_user(const Token& token, const std::optional<TokenView>& before, bool is_random);
    void find_subject(Token& token, const std::optional<TokenView>& before, bool is_random);
    void require_own_digest(const Token& token);
    void require_subject(const Token& token, const User& subject);
    void check_references(const Token& token);
    void put_row(const User& user, bool is_there);
    void put_row(const Membership& membership);
    struct Lock;
    std::optional<Outcome> set_lock(const Lock& lock, const std::string& id, bool locked);
    // Where a row of the table is; nothing if it is no token or organization.
    AuditPlace stored_place(std::string_view table, const std::string& id);
    // Ends the link, `column`, of token `other` to token `id`, if it has one.
    void unlink(const char* column, const std::string& other, const std::string& id);
    // What the trail says of a token that goes; nothing if its row cannot be read.
    base::Json last_detail(const std::string& token);

    Author author_;
};

// How the trail names what has no id of its own: "acme/ops", "ann acme", "ann acme/ops".
std::string audit_key(const Group& group);
std::string audit_key(const Membership& membership);
// What an audit row tells of an entity: its object without type, key and digest. What is within a
// field has a field of its own: "policy.max_life".
base::Json audit_detail(base::Json object, std::string_view entity);
// Of a change: {"field":{"from":…,"to":…},…}, null if there is none.
base::Json audit_difference(const base::Json& from, const base::Json& to);

}  // namespace token_auth::registry
