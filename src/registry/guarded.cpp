#include "registry/guarded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "registry/new_token.hpp"
#include "token_auth/claims.hpp"

namespace token_auth::registry {
namespace {

using rights::Action;
using rights::Code;

constexpr std::int64_t grace_max = 30 * 86400;

Refusal refusal_of(const rights::Decision& decision) {
    const std::string code(code_name(decision.code));
    switch (decision.code) {
        case Code::not_found:
            return not_found();
        case Code::session_required:
            return Refusal(code, "this needs a session; log in");
        case Code::organization_suspended:
            return Refusal(code, "the organization is suspended");
        case Code::scope_missing: {
            Refusal refusal(code, fmt::format("this needs the scope {} there", decision.scope));
            refusal.scope = decision.scope;
            return refusal;
        }
        case Code::grant_exceeds: {
            Refusal refusal(code, fmt::format("you do not hold {} there; leave out what you do not "
                                              "hold, or have it given to you",
                                              join_words(decision.scopes)));
            refusal.scopes = decision.scopes;
            return refusal;
        }
        case Code::fields_invalid: {
            Refusal refusal(code, fmt::format("{} must not be named", decision.field));
            refusal.errors.push_back({std::string(decision.field), "must not be named"});
            return refusal;
        }
        case Code::token_final:
            return Refusal(code, "the token expired or was rotated: its expiry is not moved on");
        case Code::system_organization:
            return Refusal(code, "the system organization is neither suspended nor removed");
        case Code::ok:
            break;
    }
    return Refusal("not_found", "refused");
}

Refusal limit_reached(Problem problem) {
    Refusal refusal("limit_reached", fmt::format("{} {}", problem.field, problem.text));
    refusal.errors.push_back(std::move(problem));
    return refusal;
}

Organization changed(Organization organization, const OrganizationChange& change) {
    organization.display_name = change.display_name.value_or(organization.display_name);
    Policy& policy = organization.policy;
    policy.max_life = change.max_life.value_or(policy.max_life);
    policy.default_life = change.default_life.value_or(policy.default_life);
    policy.require_allow = change.require_allow.value_or(policy.require_allow);
    policy.max_tokens = change.max_tokens.value_or(policy.max_tokens);
    return organization;
}

rights::Place place_of(const Organization& organization, const std::string& group) {
    return {organization.id, group, organization.suspended, organization.system};
}

}  // namespace

GuardedReader::GuardedReader(Reader& reader, rights::Caller caller, std::int64_t now)
    : reader_(reader), caller_(std::move(caller)), now_(now) {}

std::optional<rights::Scopes> GuardedReader::scopes_of_role(const std::string& role) {
    if (role.empty()) {
        return std::nullopt;
    }
    const auto [entry, is_new] = role_scopes_.try_emplace(role);
    if (is_new) {
        // One that is not there grants nothing.
        const auto found = reader_.role(role);
        entry->second = found ? found->scopes : rights::Scopes();
    }
    return entry->second;
}

rights::Grant GuardedReader::grant_of(const Token& token) {
    return {rights::Grant::To::token, token.group, scopes_of_role(token.role),
            token.scopes.empty() ? std::nullopt : std::optional(token.scopes)};
}

rights::Grant GuardedReader::grant_of(const Membership& membership) {
    return {rights::Grant::To::member, membership.group, scopes_of_role(membership.role),
            std::nullopt};
}

void GuardedReader::authorize(const rights::Request& request) const {
    const rights::Decision decision = rights::authorize(caller_, request);
    if (!decision) {
        throw refusal_of(decision);
    }
}

void GuardedReader::require(Action action) const {
    rights::Request request;
    request.action = action;
    authorize(request);
}

void GuardedReader::require(Action action, const PlaceName& name) {
    rights::Request request;
    request.action = action;
    request.place = place(name);
    authorize(request);
}

rights::Place GuardedReader::place(const PlaceName& name) {
    const auto organization = reader_.organization(name.organization);
    if (!organization || (!name.group.empty() && !reader_.group(name.organization, name.group))) {
        throw not_found();
    }
    return place_of(*organization, name.group);
}

Organization GuardedReader::organization(const std::string& id) {
    require(Action::see_organization, {id, {}});
    return *reader_.organization(id);
}

Group GuardedReader::group(const PlaceName& name) {
    require(Action::see_group, name);
    return *reader_.group(name.organization, name.group);
}

void GuardedReader::groups(const std::string& organization,
                           const std::function<void(const Group&)>& each) {
    rights::Request request;
    request.action = Action::list_groups;
    request.place = place({organization, {}});
    authorize(request);
    request.action = Action::see_group;
    reader_.groups(organization, [&](const Group& group) {
        request.place.group = group.id;
        if (rights::authorize(caller_, request)) {
            each(group);
        }
    });
}

TokenView GuardedReader::ask_about(const std::string& id, rights::Request& request) {
    const auto view = reader_.token(id);
    if (!view) {
        throw not_found();
    }
    const Token& token = view->token;
    request.now = now_;
    request.token.id = token.id;
    request.token.kind = token.kind;
    request.token.expires = token.expires;
    request.token.rotated = !token.successor.empty();
    if (token.kind == kind_user) {
        request.token.owner = token.user;
    } else {
        request.place = place({token.organization, token.group});
        request.before.push_back(grant_of(token));
    }
    return *view;
}

TokenView GuardedReader::need(const std::string& id, Action action) {
    rights::Request request;
    request.action = action;
    TokenView view = ask_about(id, request);
    authorize(request);
    return view;
}

TokenView GuardedReader::token(const std::string& id) {
    return need(id, Action::see_token);
}

TokenView GuardedReader::introspected(const std::string& id, const std::string& organization) {
    rights::Request request;
    request.action = Action::introspect_token;
    TokenView view = ask_about(id, request);
    if (view.token.kind == kind_user && !organization.empty()) {
        request.token.owner_is_member =
            reader_.membership(view.token.user, organization).has_value();
        request.place = place({organization, {}});
    }
    authorize(request);
    return view;
}

Member GuardedReader::with_name(Membership membership) {
    const auto person = reader_.user(membership.user);
    return {std::move(membership), person ? person->display_name : std::string()};
}

Member GuardedReader::member(const PlaceName& name, const std::string& user) {
    require(Action::see_member, name);
    const auto membership = reader_.membership(user, name.organization, name.group);
    if (!membership) {
        throw not_found();
    }
    return with_name(*membership);
}

Page<TokenView> GuardedReader::token_page(TokenListing listing, const PageRange& range) {
    if (listing.organization.empty()) {
        require(Action::use_account);
        listing.owner = caller_.user;
    } else {
        require(Action::list_tokens, {listing.organization, listing.group});
    }
    return registry::token_page(reader_, listing, range, now_,
                                [this](const auto& ids) { return uses(ids); });
}

Page<Organization> GuardedReader::organization_page(const std::string& begin,
                                                    const PageRange& range) {
    require(Action::see_self);
    if (rights::is_system(caller_)) {
        return registry::organization_page(reader_, begin, std::nullopt, range);
    }
    std::set<std::string> seen;
    for (const rights::Holding& holding : caller_.holdings) {
        seen.insert(holding.place.organization);
    }
    return registry::organization_page(reader_, begin,
                                       std::vector<std::string>(seen.begin(), seen.end()), range);
}

std::optional<std::vector<std::string>> GuardedReader::seen_groups(
    const rights::Place& organization) const {
    rights::Request request;
    request.action = Action::see_group;
    request.place = organization;
    const auto sees = [&](const std::string& group) {
        request.place.group = group;
        return static_cast<bool>(rights::authorize(caller_, request));
    };
    if (sees("*")) {  // no identifier: a group in which nobody has anything
        return std::nullopt;
    }
    std::vector<std::string> seen;
    for (const rights::Holding& holding : caller_.holdings) {
        const rights::Place& held = holding.place;
        if (held.organization == organization.organization && !held.group.empty() &&
            sees(held.group)) {
            seen.push_back(held.group);
        }
    }
    return seen;
}

Page<Group> GuardedReader::group_page(const std::string& organization, const PageRange& range) {
    require(Action::list_groups, {organization, {}});
    return registry::group_page(reader_, organization, seen_groups(place({organization, {}})),
                                range);
}

Page<Member> GuardedReader::member_page(const MemberListing& listing, const PageRange& range) {
    require(Action::list_members, {listing.organization, listing.group});
    return registry::member_page(reader_, listing, range);
}

void GuardedReader::expect_effective_scopes(const std::vector<TokenView>& tokens) {
    for (const TokenView& each : tokens) {
        const std::string& role = each.token.role;
        if (!role.empty() && role_scopes_.count(role) == 0) {
            reader_.expect_role(role);
        }
    }
}

std::vector<std::string> GuardedReader::effective_scopes(const Token& token) {
    if (token.kind == kind_user) {
        return {};
    }
    const auto role = scopes_of_role(token.role);
    const std::string of_role = role ? join_words(*role) : std::string();
    const std::string own = join_words(token.scopes);
    const ScopeSets sets{role.has_value(), of_role, own};
    std::string text(effective_scopes_size(sets), ' ');
    text.resize(token_auth::effective_scopes(sets, text.data()));
    return split_words(text);
}

std::string GuardedReader::caller_name() const {
    return caller_.token.empty() ? "user " + caller_.user : "token " + caller_.token;
}

std::vector<ScopeEntry> GuardedReader::catalogue(
    const std::function<bool(const std::string&)>& offered) {
    std::vector<ScopeEntry> entries;
    reader_.scope_entries([&](const ScopeEntry& each) {
        if (offered(each.scope)) {
            entries.push_back(each);
        }
    });
    return entries;
}

Grants GuardedReader::grants(const PlaceName& name) {
    require(Action::list_grants, name);
    const rights::Place where = place(name);
    Grants grants;
    reader_.roles([&](const Role& each) {
        if (rights::may_give(caller_, where, each.scopes)) {
            grants.roles.push_back({each, rights::is_administrative(each.scopes)});
        }
    });
    grants.scopes = catalogue([&](const std::string& scope) {
        return rights::may_give(caller_, where, std::string_view(scope));
    });
    grants.policy = reader_.organization(name.organization)->policy;
    return grants;
}

Grants GuardedReader::personal_grants() {
    require(Action::use_account);
    Grants grants;
    grants.scopes =
        catalogue([&](const std::string& scope) { return rights::is_of_use(caller_, scope); });
    if (const auto system = reader_.system_organization()) {
        grants.policy = system->policy;
    }
    return grants;
}

GuardedWriter::GuardedWriter(Writer& writer, rights::Caller caller)
    : GuardedReader(writer, std::move(caller), writer.now()), writer_(writer) {}

TokenView GuardedWriter::token_of(const std::string& id) {
    return *writer_.token(id);
}

// Its own fields, what it names, and the policy.
void GuardedWriter::require_fit(const Token& token, NamedFields named) {
    Token complete = token;
    if (complete.id.empty()) {
        complete.id = "id";  // made later
    }
    std::vector<Problem> errors = problems(complete);
    if (token.kind == kind_user && !token.role.empty()) {
        errors.push_back({"role", "is that of the membership, for a personal token"});
    } else if (!token.role.empty() && !writer_.role(token.role)) {
        errors.push_back({"role", "must name a role that exists"});
    }
    if (token.expires != 0 && named.expires && token.expires <= now_) {
        errors.push_back({"expires", "must be in the future"});
    } else if (token.expires != 0 && named.expires && token.not_before >= token.expires) {
        errors.push_back({"expires", "must be after the token begins to be valid"});
    }
    for (Problem& problem : policy_problems(policy_for(writer_, token), token, named)) {
        errors.push_back(std::move(problem));
    }
    require_valid(std::move(errors));
}

void GuardedWriter::require_room(const Token& token, std::uint64_t ended) {
    if (auto problem = limit_problem(writer_, policy_for(writer_, token), token, ended)) {
        throw limit_reached(std::move(*problem));
    }
}

NewToken GuardedWriter::make(Token token, const TokenFields& fields, TokenDigester& digester) {
    token.prefix = fields.prefix.empty() ? default_prefix(token.kind) : fields.prefix;
    token.name = fields.name;
    token.description = fields.description;
    token.allow = fields.allow;
    token.not_before = fields.not_before;
    token.created = now_;
    token.expires = fields.expires.value_or(default_expiry(policy_for(writer_, token), now_));
    require_fit(token, {});
    require_room(token, 0);
    const auto organization =
        token.organization.empty() ? std::nullopt : writer_.organization(token.organization);
    NewToken made;
    made.text = put_new_token(writer_, digester, token);
    made.view = {token, organization && organization->suspended};
    return made;
}

Token GuardedWriter::wanted_token(const PlaceName& name, const TokenFields& fields) {
    Token token;
    if (name.organization.empty()) {
        require(Action::create_personal_token);
        token.kind = kind_user;
        token.user = caller_.user;
        token.role = fields.role;
        token.scopes = fields.scopes;
        return token;
    }
    token.kind = name.group.empty() ? kind_organization : kind_group;
    token.organization = name.organization;
    token.group = name.group;
    token.role = fields.role;
    token.scopes = fields.scopes;
    rights::Request request;
    request.action = Action::create_token;
    request.place = place(name);
    request.after = grant_of(token);
    authorize(request);
    return token;
}

NewToken GuardedWriter::create_token(const PlaceName& name, const TokenFields& fields,
                                     TokenDigester& digester) {
    return make(wanted_token(name, fields), fields, digester);
}

void GuardedWriter::require_creation(const PlaceName& name, const TokenFields& fields) {
    wanted_token(name, fields);
}

std::optional<KeyedRequest> GuardedWriter::earlier_request(const RequestKey& key) {
    return find_request(writer_, caller_name(), key, now_);
}

void GuardedWriter::note_request(const RequestKey& key, const KeyedRequest& request) {
    registry::note_request(writer_, caller_name(), key, request);
}

TokenView GuardedWriter::change_token(const std::string& id, const TokenChange& change) {
    rights::Request request;
    request.action = Action::change_token;
    Token token = ask_about(id, request).token;
    token.name = change.name.value_or(token.name);
    token.description = change.description.value_or(token.description);
    token.scopes = change.scopes.value_or(token.scopes);
    token.role = change.role.value_or(token.role);
    token.expires = change.expires.value_or(token.expires);
    token.allow = change.allow.value_or(token.allow);
    request.after = grant_of(token);
    request.expires = change.expires;
    // Its successor may be gone by now.
    request.token.rotated =
        request.token.rotated || (change.expires.has_value() && writer_.was_rotated(id));
    authorize(request);
    require_fit(token, {change.expires.has_value(), change.allow.has_value()});
    writer_.put(token);
    return token_of(id);
}

TokenView GuardedWriter::revoke_token(const std::string& id) {
    need(id, Action::revoke_token);
    writer_.set_revoked(id, true);
    return token_of(id);
}

TokenView GuardedWriter::restore_token(const std::string& id) {
    const TokenView view = need(id, Action::restore_token);
    if (auto problem = restore_problem(writer_, view.token)) {
        throw limit_reached(std::move(*problem));
    }
    writer_.set_revoked(id, false);
    return token_of(id);
}

void GuardedWriter::delete_token(const std::string& id) {
    need(id, Action::delete_token);
    writer_.remove_token(id);
}

RotatedToken GuardedWriter::rotate_token(const std::string& id, const Rotation& rotation,
                                         TokenDigester& digester) {
    rights::Request request;
    request.action = Action::rotate_token;
    request.expires = rotation.expires;
    const Token predecessor = ask_about(id, request).token;
    authorize(request);
    require_rotatable(predecessor, digester, now_);
    if (rotation.grace < 0 || rotation.grace > grace_max) {
        require_valid({{"grace", "must be at most 30 days"}});
    }
    const Token successor =
        successor_of(predecessor, rotation, policy_for(writer_, predecessor), now_);
    require_fit(successor, {});
    require_room(successor, rotation.grace == 0 ? 1 : 0);
    return put_rotation(writer_, digester, predecessor, successor, rotation.grace);
}

PutMember GuardedWriter::put_member(const PlaceName& name, const std::string& user,
                                    const std::string& role) {
    const Membership membership{user, name.organization, role, 0, name.group};
    rights::Request request;
    request.action = Action::put_member;
    request.place = place(name);
    request.user = user;
    request.after = grant_of(membership);
    PutMember put;
    if (const auto before = writer_.membership(user, name.organization, name.group)) {
        request.before.push_back(grant_of(*before));
        put.before = with_name(*before);
    }
    authorize(request);
    const auto person = writer_.user(user);
    if (!person || person->technical) {
        throw not_found();
    }
    if (!writer_.role(role)) {
        require_valid({{"role", "must name a role that exists"}});
    }
    writer_.put(membership);
    put.after = with_name(*writer_.membership(user, name.organization, name.group));
    return put;
}

Member GuardedWriter::remove_member(const PlaceName& name, const std::string& user) {
    rights::Request request;
    request.action = Action::remove_member;
    request.place = place(name);
    request.user = user;
    const auto membership = writer_.membership(user, name.organization, name.group);
    if (!membership) {
        throw not_found();
    }
    request.before.push_back(grant_of(*membership));
    if (name.group.empty()) {
        // They go along.
        MemberFilter filter;
        filter.user = user;
        filter.organization = name.organization;
        std::vector<Membership> along;
        writer_.group_memberships(filter, [&](const Membership& each) { along.push_back(each); });
        for (const Membership& each : along) {
            request.before.push_back(grant_of(each));
        }
    }
    authorize(request);
    writer_.remove(*membership);
    return with_name(*membership);
}

Group GuardedWriter::add_group(const PlaceName& name) {
    require(Action::add_group, {name.organization, {}});
    const Group group{name.organization, name.group, 0};
    require_valid(problems(group));
    if (writer_.group(name.organization, name.group)) {
        throw Refusal("exists", fmt::format("group {}/{} exists", name.organization, name.group));
    }
    writer_.put(group);
    return *writer_.group(name.organization, name.group);
}

void GuardedWriter::require_empty(const PlaceName& name, bool with_tokens) {
    TokenFilter filter;
    filter.organization = name.organization;
    filter.group = name.group;
    const std::uint64_t count = with_tokens ? 0 : writer_.count_tokens(filter);
    if (count != 0) {
        throw Refusal("not_empty", fmt::format("there are {} tokens in it", count));
    }
}

void GuardedWriter::remove_group(const PlaceName& name, bool with_tokens) {
    rights::Request request;
    request.action = Action::remove_group;
    request.place = place(name);
    TokenFilter tokens;
    tokens.organization = name.organization;
    tokens.group = name.group;
    std::set<std::pair<std::string, std::vector<std::string>>> kinds;  // of grants
    writer_.tokens(
        tokens, [&](const TokenView& each) { kinds.emplace(each.token.role, each.token.scopes); });
    Token like;
    like.group = name.group;
    for (const auto& [role, scopes] : kinds) {
        like.role = role;
        like.scopes = scopes;
        request.before.push_back(grant_of(like));
    }
    MemberFilter members;
    members.organization = name.organization;
    members.group = name.group;
    std::set<std::string> roles;
    writer_.group_memberships(members, [&](const Membership& each) { roles.insert(each.role); });
    for (const std::string& role : roles) {
        request.before.push_back(grant_of(Membership{{}, name.organization, role, 0, name.group}));
    }
    authorize(request);
    require_empty(name, with_tokens);
    writer_.remove(*writer_.group(name.organization, name.group));
}

Organization GuardedWriter::add_organization(const std::string& id,
                                             const OrganizationChange& fields) {
    require(Action::add_organization);
    const Organization organization = changed(Organization{id}, fields);
    require_valid(problems(organization));
    if (writer_.organization(id)) {
        throw Refusal("exists", fmt::format("organization {} exists", id));
    }
    writer_.put(organization);
    return *writer_.organization(id);
}

Organization GuardedWriter::change_organization(const std::string& id,
                                                const OrganizationChange& change) {
    require(Action::change_organization, {id, {}});
    if (change.suspended) {
        suspend_organization(id, *change.suspended);
    }
    const Organization organization = changed(*writer_.organization(id), change);
    require_valid(problems(organization));
    writer_.put(organization);
    return *writer_.organization(id);
}

void GuardedWriter::suspend_organization(const std::string& id, bool suspended) {
    require(suspended ? Action::suspend_organization : Action::change_organization, {id, {}});
    writer_.set_suspended(id, suspended);
}

void GuardedWriter::remove_organization(const std::string& id, bool with_tokens) {
    require(Action::remove_organization, {id, {}});
    require_empty({id, {}}, with_tokens);
    writer_.remove(*writer_.organization(id));
}

}  // namespace token_auth::registry
