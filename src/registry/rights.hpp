// Who may manage what: one function, authorize(), asked in the transaction that reads or writes.
//
// Pure: the caller of it reads from the registry who calls and what is asked about. Scopes that
// begin with "auth:" are administrative: they let their holder manage (administrative_scopes). What
// each action needs stands in `rules`.
//
// A scope is held in a place, an organization or a group. Somebody holds what their memberships
// give there, those in the organization in its groups, too; a token what its role and its own list
// both cover. ":write" includes ":read". "auth:system" is held only by its whole name in every list
// that limits it, and only through the system organization itself; "auth:*" does not cover it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "token_auth/record.hpp"

namespace token_auth::registry::rights {

using Scopes = std::vector<std::string>;

namespace scope {
inline constexpr std::string_view audit_read = "auth:audit:read";
inline constexpr std::string_view groups_write = "auth:groups:write";
inline constexpr std::string_view members_read = "auth:members:read";
inline constexpr std::string_view members_write = "auth:members:write";
inline constexpr std::string_view rotate = "auth:rotate";
inline constexpr std::string_view system = "auth:system";
inline constexpr std::string_view tokens_read = "auth:tokens:read";
inline constexpr std::string_view tokens_write = "auth:tokens:write";
}  // namespace scope

// All that let somebody do something, sorted. auth:groups:write does in the organization only, for
// which it must be held, not in the group.
inline constexpr std::array administrative_scopes = {
    scope::audit_read, scope::groups_write, scope::members_read, scope::members_write,
    scope::rotate,     scope::system,       scope::tokens_read,  scope::tokens_write,
};

// An organization (no group), or one of its groups. It exists.
struct Place {
    std::string organization;
    std::string group;
    bool suspended = false;  // the organization is
    bool system = false;     // the organization is the system's
};

// Whom a request comes from, in the audit trail's words.
enum class Via : std::uint8_t {
    session,     // a person who logged in
    token,       // whoever presents one
    auth_token,  // name and password, for a personal token and nothing else
    tokenctl,    // the registry's own administrator, who may do everything
};

// A caller's membership in a place, or the place of the organization's or group's token that calls.
struct Holding {
    Place place;
    // The scopes of its role, none if there is no such role. Null: a token without a role.
    std::optional<Scopes> role;
};

// Who asks. Of a token, only one that decide() would let in.
struct Caller {
    Via via = Via::session;
    std::string user;           // the person, or the token's technical user
    std::string token;          // its id; empty but for Via::token
    Kind kind = kind_user;      // of the token
    std::optional<Scopes> own;  // the token's own list; null: none
    // All of the person's, with a personal token too; the one of any other token.
    std::vector<Holding> holdings;
};

// What may be asked.
enum class Action : std::uint8_t {
    // One's own account.
    see_self,
    use_account,  // name, password, sessions, list of personal tokens and what they may be given
    create_personal_token,
    // Organizations.
    see_organization,
    add_organization,
    change_organization,  // but for its suspension
    suspend_organization,
    remove_organization,
    // What only the system sees: people, roles, catalogue of scopes.
    use_system_list,   // and what makes an entry of a name that the caller gives
    use_system_entry,  // an entry that may or may not be there
    // An organization or a group.
    list_groups,
    add_group,
    see_group,
    remove_group,
    list_tokens,
    create_token,
    list_grants,
    list_members,
    see_member,
    put_member,
    remove_member,
    read_audit,
    // A token.
    see_token,
    introspect_token,
    change_token,
    revoke_token,
    restore_token,
    rotate_token,
    delete_token,
};

// What an action is about, and so who knows that it is there.
enum class Target : std::uint8_t {
    self,          // everybody
    account,       // everybody, in a session
    system_list,   // everybody
    system_entry,  // the system
    // An organization: who has a membership or token in it or its groups. A group: who has one in
    // it, or an administrative scope in its organization.
    place,
    member,  // of a place that the caller sees: who holds auth:members:read there
    // Of a place: who holds auth:tokens:read there, and the token itself. A personal one: its owner
    // in a session, itself, and the system.
    token,
};

// What a caller must hold, in the place of it, so that nobody gives or takes more than they hold.
enum class Covers : std::uint8_t {
    nothing,
    before,  // what is there and goes
    after,   // what results
    both,    // what is there and what results
    kept,    // what is there, and results
};

struct Rule {
    Action action;
    Target target;
    std::string_view needs;     // this scope in the place; empty: whoever sees the target may
    bool if_suspended = false;  // a session may in a suspended organization, too
    Covers covers = Covers::nothing;
};

// In the order of Action. What the caller does not see is not_found; without `needs` it is
// scope_missing. Personal tokens, what a token may do with itself, and leaving are in authorize().
inline constexpr Rule rules[] = {
    {Action::see_self, Target::self, {}, true},
    {Action::use_account, Target::account, {}, true},
    {Action::create_personal_token, Target::account, {}, true},

    {Action::see_organization, Target::place, {}, true},
    {Action::add_organization, Target::system_list, scope::system},
    {Action::change_organization, Target::place, scope::system},
    {Action::suspend_organization, Target::place, scope::system},
    {Action::remove_organization, Target::place, scope::system},
    {Action::use_system_list, Target::system_list, scope::system},
    {Action::use_system_entry, Target::system_entry, scope::system},

    {Action::list_groups, Target::place, {}, true},
    {Action::add_group, Target::place, scope::groups_write},
    {Action::see_group, Target::place, {}, true},
    {Action::remove_group, Target::place, scope::groups_write, true, Covers::before},
    {Action::list_tokens, Target::place, scope::tokens_read, true},
    {Action::create_token, Target::place, scope::tokens_write, false, Covers::after},
    {Action::list_grants, Target::place, scope::tokens_write, true},  // or auth:members:write
    {Action::list_members, Target::place, scope::members_read, true},
    {Action::see_member, Target::member, scope::members_read, true},
    // Of a place: the row may not be there, which only who sees rows is to learn.
    {Action::put_member, Target::place, scope::members_write, false, Covers::both},
    {Action::remove_member, Target::member, scope::members_write, true, Covers::before},
    {Action::read_audit, Target::place, scope::audit_read, true},

    {Action::see_token, Target::token, scope::tokens_read, true},
    {Action::introspect_token, Target::token, scope::tokens_read, true},
    {Action::change_token, Target::token, scope::tokens_write, false, Covers::both},
    {Action::revoke_token, Target::token, scope::tokens_write, true},
    {Action::restore_token, Target::token, scope::tokens_write, false, Covers::kept},
    {Action::rotate_token, Target::token, scope::tokens_write, false, Covers::kept},
    {Action::delete_token, Target::token, scope::tokens_write, true, Covers::before},
};

// What a token or a membership may do: every scope of both lists counts, whatever the other one
// allows.
struct Grant {
    enum class To : std::uint8_t { token, member };
    To to = To::token;
    std::string group;           // that it is in; empty: the organization itself
    std::optional<Scopes> role;  // the role's scopes; null: no role
    std::optional<Scopes> own;   // a token's own list; null: none
};

// A token that is asked about.
struct Subject {
    std::string id;
    Kind kind = kind_organization;
    std::string owner;             // of a personal token
    std::int64_t expires = 0;      // Unix seconds; 0: never
    bool rotated = false;          // it has, or had, a successor
    bool owner_is_member = false;  // for introspection: of the organization that the request names
};

struct Request {
    Action action = Action::see_self;
    // Of the action, of the token (but a personal one). For introspection of a personal token: the
    // organization that the request names; empty: none.
    Place place;
    Subject token;     // actions on a token
    std::string user;  // actions on a membership: whose
    // As it is: the token's grant (but a personal one's), the membership's, if there is one. What
    // goes along with a group or a membership as well: tokens in it, memberships in groups; equal
    // ones need not be repeated.
    std::vector<Grant> before;
    // As it results, where a token is created or changed, or a membership put.
    std::optional<Grant> after;
    // The new expiry, if the request names one (0: never).
    std::optional<std::int64_t> expires;
    std::int64_t now = 0;
};

enum class Code : std::uint8_t {
    ok,
    not_found,
    session_required,
    organization_suspended,
    scope_missing,        // Decision::scope
    grant_exceeds,        // Decision::scopes
    fields_invalid,       // Decision::field must not be named
    token_final,          // its expiry is not moved on
    system_organization,  // is neither suspended nor removed
};
// As problem documents name them: "not_found".
std::string_view code_name(Code code);

struct Decision {
    Code code = Code::ok;
    std::string_view scope{};
    Scopes scopes{};  // sorted, each once
    std::string_view field{};
    explicit operator bool() const { return code == Code::ok; }
};

Decision authorize(const Caller& caller, const Request& request);

// Whether the caller holds auth:system, or is tokenctl.
bool is_system(const Caller& caller);

// Whether the caller holds a scope in a place; as the system, every one.
bool holds(const Caller& caller, const Place& place, std::string_view wanted);

// The administrative scopes held there, wildcards written out, sorted: auth:groups:write in
// organizations only, auth:system in the system organization only.
std::vector<std::string_view> may(const Caller& caller, const Place& place);

// Whether the caller may give a scope, or a role of these scopes, in a place. A token that calls
// gives no administrative one, so that a stolen one makes itself no others.
bool may_give(const Caller& caller, const Place& place, std::string_view wanted);
bool may_give(const Caller& caller, const Place& place, const Scopes& scopes);
// The same for the scopes of a personal token. They may be any: to offer are those that have an
// effect somewhere.
bool is_of_use(const Caller& caller, std::string_view scope);

// Whether a list has an administrative scope.
bool is_administrative(const Scopes& scopes);

// Which rows of the audit trail may be read by a request that names no organization.
enum class AuditReach : std::uint8_t {
    all,
    user,   // acts of the caller's user
    token,  // acts by the caller's token
};
AuditReach audit_reach(const Caller& caller);

}  // namespace token_auth::registry::rights
