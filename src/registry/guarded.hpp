// A registry as its callers may use it: Reader and Writer behind rights::authorize(), which is
// asked in the transaction that reads or writes. The HTTP API works by these alone, and tokenctl
// where it does the same thing.
//
// What is refused is a Refusal, which rolls the transaction back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/idempotency.hpp"
#include "registry/pages.hpp"
#include "registry/refusal.hpp"
#include "registry/rights.hpp"
#include "registry/rotation.hpp"
#include "registry/token_digester.hpp"
#include "registry/token_policy.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

// An organization, or a group in it.
struct PlaceName {
    std::string organization;
    std::string group;  // empty: the organization itself
};

// What may be given.
struct OfferedRole {
    Role role;
    bool administrative = false;
};
struct Grants {
    std::vector<OfferedRole> roles;
    std::vector<ScopeEntry> scopes;
    Policy policy;
};

class GuardedReader {
  public:
    // The reader must be in a transaction, in which the caller was read, too, and outlive this.
    GuardedReader(Reader& reader, rights::Caller caller, std::int64_t now);
    GuardedReader(const GuardedReader&) = delete;
    GuardedReader& operator=(const GuardedReader&) = delete;

    // For what has no place: rights::Action of one's own account, or the system's.
    void require(rights::Action action) const;
    // For lists and rows of a place: that the caller may, before they are read.
    void require(rights::Action action, const PlaceName& name);

    Organization organization(const std::string& id);
    Group group(const PlaceName& name);
    // Those of an organization that the caller sees.
    void groups(const std::string& organization, const std::function<void(const Group&)>& each);
    TokenView token(const std::string& id);
    // For RFC 7662. A personal token is known where its owner is a member of the organization.
    TokenView introspected(const std::string& id, const std::string& organization);
    Member member(const PlaceName& name, const std::string& user);
    // Of what the caller sees. A listing of the caller's own tokens names no owner.
    Page<TokenView> token_page(TokenListing listing, const PageRange& range);
    Page<Organization> organization_page(const std::string& begin, const PageRange& range);
    Page<Group> group_page(const std::string& organization, const PageRange& range);
    Page<Member> member_page(const MemberListing& listing, const PageRange& range);
    // A token's, sorted: what role and list grant together. None for a personal one.
    std::vector<std::string> effective_scopes(const Token& token);
    // That they will be asked for.
    void expect_effective_scopes(const std::vector<TokenView>& tokens);
    // Whom it asks when tokens were used last; nobody, if this is not called.
    void ask_for_uses(UsesOf uses_of) { uses_of_ = std::move(uses_of); }
    TokenUses uses(const std::vector<std::string>& ids) const {
        return uses_of_ ? uses_of_(ids) : TokenUses();
    }
    // Who calls, as a key of tables: "user ann", "token 7Hq".
    std::string caller_name() const;
    std::int64_t now() const { return now_; }
    // What may be given to a token there; without a place, to a personal one.
    Grants grants(const PlaceName& name);
    Grants personal_grants();

  protected:
    void authorize(const rights::Request& request) const;
    rights::Place place(const PlaceName& name);
    // Throws not_found if there is no such token. `request` gets its place, subject, and grant.
    TokenView ask_about(const std::string& id, rights::Request& request);
    TokenView need(const std::string& id, rights::Action action);
    // Null for an empty name.
    std::optional<rights::Scopes> scopes_of_role(const std::string& role);
    rights::Grant grant_of(const Token& token);
    rights::Grant grant_of(const Membership& membership);
    Member with_name(Membership membership);

    Reader& reader_;
    rights::Caller caller_;
    std::int64_t now_;

  private:
    // Those of an organization that the caller sees; none: all.
    std::optional<std::vector<std::string>> seen_groups(const rights::Place& organization) const;
    std::vector<ScopeEntry> catalogue(const std::function<bool(const std::string&)>& offered);

    std::map<std::string, rights::Scopes> role_scopes_;  // of roles that were read
    UsesOf uses_of_;
};

// What a token's maker names.
struct TokenFields {
    std::string name;
    std::string description{};
    std::string role{};                 // empty: none
    std::vector<std::string> scopes{};  // empty: no list
    std::vector<std::string> allow{};
    std::optional<std::int64_t> expires{};  // 0: never; else as the policy or the default says
    std::int64_t not_before = 0;
    std::string prefix{};  // empty: that of the kind
};

// A token with its text, which is shown once, when the transaction is committed.
struct NewToken {
    TokenView view;
    std::unique_ptr<TokenText> text;
};

// What a change names; the rest stays.
struct TokenChange {
    std::optional<std::string> name;
    std::optional<std::string> description;
    std::optional<std::vector<std::string>> scopes;  // empty: no list
    std::optional<std::string> role;                 // empty: none
    std::optional<std::int64_t> expires;             // 0: never
    std::optional<std::vector<std::string>> allow;
};

// The same of an organization.
struct OrganizationChange {
    std::optional<std::string> display_name;  // empty: none
    std::optional<std::int64_t> max_life;     // 0: no such rule
    std::optional<std::int64_t> default_life;
    std::optional<bool> require_allow;
    std::optional<std::int64_t> max_tokens;
    std::optional<bool> suspended;
};

struct PutMember {
    std::optional<Member> before;  // none: it was added
    Member after;
};

class GuardedWriter : public GuardedReader {
  public:
    // The writer's author says who is noted in the audit trail.
    GuardedWriter(Writer& writer, rights::Caller caller);

    const Author& author() const { return writer_.author(); }

    // Without a place, a personal one.
    NewToken create_token(const PlaceName& name, const TokenFields& fields,
                          TokenDigester& digester);
    // For a request that comes again: that the caller may still do the same.
    void require_creation(const PlaceName& name, const TokenFields& fields);
    // The request of the caller that came with the key before, and noting it.
    std::optional<KeyedRequest> earlier_request(const RequestKey& key);
    void note_request(const RequestKey& key, const KeyedRequest& request);
    TokenView change_token(const std::string& id, const TokenChange& change);
    TokenView revoke_token(const std::string& id);
    TokenView restore_token(const std::string& id);
    // With a grace of at most 30 days.
    RotatedToken rotate_token(const std::string& id, const Rotation& rotation,
                              TokenDigester& digester);
    void delete_token(const std::string& id);

    PutMember put_member(const PlaceName& name, const std::string& user, const std::string& role);
    // Returns what was there.
    Member remove_member(const PlaceName& name, const std::string& user);
    Group add_group(const PlaceName& name);
    // With what is in it, if that is asked for: else not_empty if tokens are.
    void remove_group(const PlaceName& name, bool with_tokens);
    Organization add_organization(const std::string& id, const OrganizationChange& fields);
    Organization change_organization(const std::string& id, const OrganizationChange& change);
    void suspend_organization(const std::string& id, bool suspended);
    void remove_organization(const std::string& id, bool with_tokens);

  private:
    Token wanted_token(const PlaceName& name, const TokenFields& fields);
    void require_fit(const Token& token, NamedFields named);
    void require_room(const Token& token, std::uint64_t ended);
    NewToken make(Token token, const TokenFields& fields, TokenDigester& digester);
    void require_empty(const PlaceName& name, bool with_tokens);
    TokenView token_of(const std::string& id);

    Writer& writer_;
};

}  // namespace token_auth::registry
