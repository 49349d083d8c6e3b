#include "rights_world.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace token_auth::unit {

using rights::Action;
using rights::Via;

const std::vector<std::string> rights_words = {
    "agents:read",
    "agents:write",
    "agents:*",
    "calls:read",
    "*",
    "auth:*",
    "auth:tokens:read",
    "auth:tokens:write",
    "auth:tokens:*",
    "auth:members:read",
    "auth:members:write",
    "auth:members:*",
    "auth:groups:write",
    "auth:groups:*",
    "auth:audit:read",
    "auth:audit:*",
    "auth:rotate",
    "auth:system",
    "auth:system:*",
    "auth:custom:read",
    "auth:custom:write",
    "authority:read",
    "auth:s*",
    "auth:rotate:*",
};

namespace {

const std::vector<std::string> organization_names = {"sys", "acme", "globex"};
const std::vector<std::string> group_names = {"g", "h"};
const std::vector<std::string> people_names = {"ann", "bob", "cid", "dot", "eve"};
const std::map<std::string, Words> usual_roles = {
    {"sysadmin", {"auth:system"}},
    {"root", {"*", "auth:*", "auth:system"}},
    {"owner", {"*", "auth:*"}},
    {"managers", {"auth:*"}},
    {"reader", {"agents:read"}},
    {"agent", {"agents:*"}},
    {"tokens", {"auth:tokens:write", "agents:*"}},
    {"members", {"auth:members:write", "agents:read"}},
    {"both", {"auth:members:write", "auth:tokens:write", "calls:read"}},
    {"viewer", {"auth:tokens:read", "auth:members:read", "auth:audit:read"}},
    {"grouper", {"auth:groups:write", "auth:tokens:*"}},
    {"rotator", {"auth:rotate", "agents:read"}},
    {"empty", {}},
};

std::vector<std::string> names_of_roles() {
    std::vector<std::string> names;
    names.reserve(usual_roles.size() + 1);
    for (const auto& [name, words] : usual_roles) {
        names.push_back(name);
    }
    names.push_back("gone");
    return names;
}

RightsToken draw_rights_token(Draw& draw, const RightsWorld& world) {
    RightsToken token;
    token.kind = draw.of(std::vector<Kind>{kind_organization, kind_group, kind_user});
    if (token.kind == kind_user) {
        token.owner = draw.of(people_names);
        token.own = draw_own_list(draw, 15);
    } else {
        token.organization = draw.of(organization_names);
        token.group = token.kind == kind_group ? draw.of(group_names) : "";
        if (draw.chance(85)) {
            token.role = draw_role(draw);
        }
        token.own = draw_own_list(draw, 60);
    }
    token.expires = draw.chance(40) ? 0 : world.now - 5 + static_cast<std::int64_t>(draw.below(30));
    token.revoked = draw.chance(15);
    token.rotated = token.expires != 0 && draw.chance(20);
    return token;
}

registry::rights::Scopes list_of(const Words& words) {
    return {words.begin(), words.end()};
}

std::optional<rights::Scopes> list_of(const std::optional<Words>& words) {
    return words ? std::optional(list_of(*words)) : std::nullopt;
}

Words words_of_role(const RightsWorld& world, const std::string& role) {
    const auto found = world.roles.find(role);
    return found == world.roles.end() ? Words{} : found->second;
}

std::optional<rights::Scopes> role_list(const RightsWorld& world,
                                        const std::optional<std::string>& role) {
    return role ? std::optional(list_of(words_of_role(world, *role))) : std::nullopt;
}

rights::Grant grant_of(const RightsWorld& world, const RightsToken& token) {
    return {rights::Grant::To::token, token.group, role_list(world, token.role),
            list_of(token.own)};
}

rights::Grant grant_of_member(const RightsWorld& world, const std::string& group,
                              const std::string& role) {
    return {rights::Grant::To::member, group, role_list(world, role), std::nullopt};
}

void add_contents(const RightsWorld& world, const Ask& ask, std::vector<rights::Grant>& before) {
    for (const auto& [id, token] : world.tokens) {
        if (token.organization == ask.organization && token.group == ask.group) {
            before.push_back(grant_of(world, token));
        }
    }
    for (const auto& [key, role] : world.memberships) {
        if (key[1] == ask.organization && key[2] == ask.group) {
            before.push_back(grant_of_member(world, key[2], role));
        }
    }
}

bool concerns_token(Action action) {
    return action >= Action::see_token;
}

}  // namespace

std::optional<Words> draw_own_list(Draw& draw, unsigned percent_of_none) {
    if (draw.chance(percent_of_none)) {
        return std::nullopt;
    }
    Words words;
    for (std::size_t i = 1 + draw.below(3); i > 0; --i) {
        words.insert(draw.of(rights_words));
    }
    return words;
}

std::string draw_role(Draw& draw) {
    static const std::vector<std::string> names = names_of_roles();
    return draw.of(names);
}

RightsWorld draw_rights_world(Draw& draw) {
    RightsWorld world;
    world.roles = usual_roles;
    for (auto& [name, words] : world.roles) {
        if (draw.chance(20)) {
            words.insert(draw.of(rights_words));
        }
    }
    for (const std::string& name : organization_names) {
        world.organizations[name] = {draw.chance(name == "sys" ? 5 : 15),
                                     name == "sys",
                                     {group_names.begin(), group_names.end()}};
    }
    world.people = {people_names.begin(), people_names.end()};
    for (const std::string& person : people_names) {
        if (person == "eve") {
            continue;  // a member nowhere
        }
        for (const std::string& organization : organization_names) {
            if (draw.chance(organization == "sys" ? 20 : 50)) {
                world.memberships[{person, organization, ""}] = draw_role(draw);
            }
            for (const std::string& group : group_names) {
                if (draw.chance(25)) {
                    world.memberships[{person, organization, group}] = draw_role(draw);
                }
            }
        }
    }
    for (std::size_t i = 0; i < 14; ++i) {
        world.tokens[fmt::format("T{}", i)] = draw_rights_token(draw, world);
    }
    return world;
}

rights::Place place_of(const RightsWorld& world, const std::string& organization,
                       const std::string& group) {
    const auto found = world.organizations.find(organization);
    if (found == world.organizations.end()) {
        return {};
    }
    return {organization, group, found->second.suspended, found->second.system};
}

rights::Caller caller_of(const RightsWorld& world, const Who& who) {
    rights::Caller caller;
    caller.via = who.via;
    std::string person = who.id;
    if (who.via == Via::token) {
        const RightsToken& token = world.tokens.at(who.id);
        caller.token = who.id;
        caller.kind = token.kind;
        caller.own = list_of(token.own);
        person = token.owner;
        if (token.kind != kind_user) {
            caller.user = "tu-" + who.id;
            caller.holdings.push_back(
                {place_of(world, token.organization, token.group), role_list(world, token.role)});
            return caller;
        }
    }
    caller.user = person;
    for (const auto& [key, role] : world.memberships) {
        if (key[0] == person) {
            caller.holdings.push_back({place_of(world, key[1], key[2]), role_list(world, role)});
        }
    }
    return caller;
}

rights::Request request_of(const RightsWorld& world, const Ask& ask) {
    rights::Request request;
    request.action = ask.action;
    request.place = place_of(world, ask.organization, ask.group);
    request.user = ask.user;
    request.expires = ask.expires;
    request.now = world.now;
    if (concerns_token(ask.action)) {
        const RightsToken& token = world.tokens.at(ask.token);
        request.token = {ask.token, token.kind, token.owner, token.expires, token.rotated, false};
        if (token.kind == kind_user) {
            request.token.owner_is_member =
                world.memberships.count({token.owner, ask.organization, ""}) != 0;
        } else {
            request.place = place_of(world, token.organization, token.group);
            request.before.push_back(grant_of(world, token));
        }
    }
    if (ask.action == Action::put_member || ask.action == Action::remove_member) {
        for (const auto& [key, role] : world.memberships) {
            const bool along = ask.action == Action::remove_member && ask.group.empty();
            if (key[0] == ask.user && key[1] == ask.organization &&
                (key[2] == ask.group || along)) {
                request.before.push_back(grant_of_member(world, key[2], role));
            }
        }
    }
    if (ask.action == Action::remove_group) {
        add_contents(world, ask, request.before);
    }
    if (ask.action == Action::create_token || ask.action == Action::change_token) {
        request.after = {rights::Grant::To::token, request.place.group, role_list(world, ask.role),
                         list_of(ask.own)};
    } else if (ask.action == Action::put_member) {
        request.after = grant_of_member(world, ask.group, ask.role.value_or("gone"));
    }
    return request;
}

// From here on, the document once more.

namespace {

bool begins(const std::string& text, const std::string& with) {
    return text.rfind(with, 0) == 0;
}
bool ends(const std::string& text, const std::string& with) {
    return text.size() >= with.size() &&
           text.compare(text.size() - with.size(), with.size(), with) == 0;
}
bool is_admin_word(const std::string& word) {
    return begins(word, "auth:");
}

bool word_covers(const std::string& grant, const std::string& word) {
    if (grant == word) {
        return true;
    }
    if (word == "auth:system") {
        return false;  // "only by its whole name"
    }
    if (grant == "*") {
        return !is_admin_word(word);
    }
    return ends(grant, ":*") && begins(word, grant.substr(0, grant.size() - 1));
}

WordSet all_words() {
    WordSet all;
    for (std::size_t i = 0; i < rights_words.size(); ++i) {
        all.set(i);
    }
    return all;
}

std::size_t number_of(const std::string& word) {
    return static_cast<std::size_t>(std::find(rights_words.begin(), rights_words.end(), word) -
                                    rights_words.begin());
}

bool has(const WordSet& set, const std::string& word) {
    return set.test(number_of(word));
}

WordSet role_words(const RightsWorld& world, const std::string& role) {
    return covered_by(words_of_role(world, role));
}

WordSet held_by_person(const RightsWorld& world, const std::string& person,
                       const std::string& organization, const std::string& group) {
    WordSet words;
    for (const std::string& where : {std::string(), group}) {
        const auto found = world.memberships.find({person, organization, where});
        if (found != world.memberships.end()) {
            words |= role_words(world, found->second);
        }
    }
    return words;
}

// Which organizations and groups somebody has a membership or token in.
bool is_in(const RightsWorld& world, const Who& who, const std::string& organization,
           const std::optional<std::string>& group) {
    std::string person = who.id;
    if (who.via == Via::token) {
        const RightsToken& token = world.tokens.at(who.id);
        if (token.kind != kind_user) {
            return token.organization == organization && (!group || token.group == *group);
        }
        person = token.owner;
    }
    return std::any_of(world.memberships.begin(), world.memberships.end(), [&](const auto& entry) {
        return entry.first[0] == person && entry.first[1] == organization &&
               (!group || entry.first[2] == *group);
    });
}

class Oracle {
  public:
    Oracle(const RightsWorld& world, const Who& who, const Ask& ask)
        : world_(world),
          who_(who),
          ask_(ask),
          by_token_(who.via == Via::token),
          system_(is_the_system(world, who)) {
        if (concerns_token(ask.action)) {
            token_ = &world.tokens.at(ask.token);
            itself_ = by_token_ && who.id == ask.token;
        }
    }

    Expected answer() const {
        Expected refusal = who_.via == Via::tokenctl ? ok() : by_rights();
        if (refusal.code != "ok") {
            return refusal;
        }
        if (ask_.action == Action::change_token && ask_.expires) {
            const bool expired = token_->expires != 0 && token_->expires <= world_.now;
            const bool later =
                token_->expires != 0 && (*ask_.expires == 0 || *ask_.expires > token_->expires);
            if ((expired || token_->rotated) && later) {
                return {"token_final", {}, {}};
            }
        }
        if ((ask_.action == Action::suspend_organization ||
             ask_.action == Action::remove_organization) &&
            ask_.organization == "sys" && who_.via != Via::tokenctl) {
            return {"system_organization", {}, {}};
        }
        return ok();
    }

  private:
    static Expected ok() { return {"ok", {}, {}}; }
    static Expected not_found() { return {"not_found", {}, {}}; }
    static Expected session_required() { return {"session_required", {}, {}}; }
    static Expected lacks(const std::string& scope) { return {"scope_missing", scope, {}}; }
    static Expected suspended() { return {"organization_suspended", {}, {}}; }

    WordSet here(const std::string& organization, const std::string& group) const {
        return system_ ? all_words() : held(world_, who_, organization, group);
    }
    bool may_here(const std::string& scope) const {
        return has(here(ask_.organization, ask_.group), scope);
    }
    bool may_in_organization(const std::string& scope) const {
        return has(here(ask_.organization, ""), scope);
    }
    bool is_suspended(const std::string& organization) const {
        return world_.organizations.at(organization).suspended;
    }

    bool sees_place() const {
        if (system_) {
            return true;
        }
        if (!is_in(world_, who_, ask_.organization, std::nullopt)) {
            return false;
        }
        return ask_.group.empty() || is_in(world_, who_, ask_.organization, ask_.group) ||
               !expected_may(world_, who_, ask_.organization, "").empty();
    }

    // Nobody gives or takes more than they hold; a token gives no administrative scope.
    void exceed(Words& exceeding, const std::string& organization, const std::string& group,
                const std::optional<Words>& list, bool gives) const {
        if (!list) {
            return;
        }
        const WordSet mine = here(organization, group);
        for (const std::string& word : *list) {
            const bool forbidden = gives && by_token_ && !system_ && is_admin_word(word);
            if (!has(mine, word) || forbidden) {
                exceeding.insert(word);
            }
        }
    }
    static Expected unless(Words exceeding) {
        return exceeding.empty() ? ok() : Expected{"grant_exceeds", {}, std::move(exceeding)};
    }
    std::optional<Words> role_list(const std::optional<std::string>& role) const {
        return role ? std::optional(words_of_role(world_, *role)) : std::nullopt;
    }
    void exceed_of_token(Words& exceeding, const RightsToken& token, bool gives) const {
        exceed(exceeding, token.organization, token.group, role_list(token.role), gives);
        exceed(exceeding, token.organization, token.group, token.own, gives);
    }

    Expected by_rights() const;
    Expected about_organization(bool removes) const;
    Expected about_group(const std::string& scope) const;
    Expected remove_group() const;
    Expected read_here(const std::string& scope) const;
    Expected put_member() const;
    Expected remove_member() const;
    Expected create_token() const;
    Expected about_token() const;
    Expected about_personal_token() const;
    Expected rotate_itself() const;

    const RightsWorld& world_;
    const Who& who_;
    const Ask& ask_;
    const bool by_token_;
    const bool system_;
    const RightsToken* token_ = nullptr;
    bool itself_ = false;
};

Expected Oracle::by_rights() const {
    if (who_.via == Via::auth_token) {
        return ask_.action == Action::create_personal_token ? ok() : session_required();
    }
    if (by_token_) {
        // "tokens are refused as at the gateway"
        const RightsToken& caller = world_.tokens.at(who_.id);
        if (caller.kind != kind_user && is_suspended(caller.organization)) {
            return suspended();
        }
    }
    switch (ask_.action) {
        case Action::see_self:
            return ok();
        case Action::use_account:
        case Action::create_personal_token:
            return by_token_ ? session_required() : ok();
        case Action::add_organization:
        case Action::use_system_list:
            return system_ ? ok() : lacks("auth:system");
        case Action::use_system_entry:
            return system_ ? ok() : not_found();
        case Action::change_organization:
        case Action::suspend_organization:
        case Action::remove_organization:
            return about_organization(true);
        case Action::see_organization:
        case Action::list_groups:
            return about_organization(false);
        case Action::see_group:
            return about_group("");
        case Action::add_group:
            return about_group("auth:groups:write");
        case Action::remove_group:
            return remove_group();
        case Action::list_tokens:
            return read_here("auth:tokens:read");
        case Action::list_members:
            return read_here("auth:members:read");
        case Action::read_audit:
            return read_here("auth:audit:read");
        case Action::list_grants:
            return may_here("auth:members:write") ? read_here("auth:members:write")
                                                  : read_here("auth:tokens:write");
        case Action::see_member:
            return sees_place() && may_here("auth:members:read") ? read_here("auth:members:read")
                                                                 : not_found();
        case Action::put_member:
            return put_member();
        case Action::remove_member:
            return remove_member();
        case Action::create_token:
            return create_token();
        default:
            return token_->kind == kind_user ? about_personal_token() : about_token();
    }
}

Expected Oracle::about_organization(bool changes) const {
    if (!sees_place()) {
        return not_found();
    }
    if (system_) {
        return ok();
    }
    // "sessions read, revoke, delete": the system alone does these to organizations.
    if (is_suspended(ask_.organization) && (by_token_ || changes)) {
        return suspended();
    }
    return changes ? lacks("auth:system") : ok();
}

Expected Oracle::about_group(const std::string& scope) const {
    if (!sees_place()) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && !system_ && (by_token_ || !scope.empty())) {
        return suspended();
    }
    return scope.empty() || may_in_organization(scope) ? ok() : lacks(scope);
}

Expected Oracle::remove_group() const {
    if (!sees_place()) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && by_token_ && !system_) {
        return suspended();
    }
    if (!may_in_organization("auth:groups:write")) {
        return lacks("auth:groups:write");
    }
    Words exceeding;
    bool tokens = false;
    bool members = false;
    for (const auto& [id, token] : world_.tokens) {
        if (token.organization == ask_.organization && token.group == ask_.group) {
            tokens = true;
            exceed_of_token(exceeding, token, false);
        }
    }
    for (const auto& [key, role] : world_.memberships) {
        if (key[1] == ask_.organization && key[2] == ask_.group) {
            members = true;
            exceed(exceeding, key[1], key[2], words_of_role(world_, role), false);
        }
    }
    if (tokens && !may_here("auth:tokens:write")) {
        return lacks("auth:tokens:write");
    }
    if (members && !may_here("auth:members:write")) {
        return lacks("auth:members:write");
    }
    return unless(exceeding);
}

Expected Oracle::read_here(const std::string& scope) const {
    if (!sees_place()) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && by_token_ && !system_) {
        return suspended();
    }
    return may_here(scope) ? ok() : lacks(scope);
}

Expected Oracle::put_member() const {
    if (!sees_place()) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && !system_) {
        return suspended();
    }
    if (!may_here("auth:members:write")) {
        return lacks("auth:members:write");
    }
    Words exceeding;
    const auto before = world_.memberships.find({ask_.user, ask_.organization, ask_.group});
    if (before != world_.memberships.end()) {
        exceed(exceeding, ask_.organization, ask_.group, words_of_role(world_, before->second),
               false);
    }
    exceed(exceeding, ask_.organization, ask_.group,
           words_of_role(world_, ask_.role.value_or("gone")), true);
    return unless(exceeding);
}

Expected Oracle::remove_member() const {
    if (!sees_place()) {
        return not_found();
    }
    if (who_.via == Via::session && who_.id == ask_.user) {
        return ok();  // "Everybody may leave"
    }
    if (!may_here("auth:members:read")) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && by_token_ && !system_) {
        return suspended();
    }
    if (!may_here("auth:members:write")) {
        return lacks("auth:members:write");
    }
    Words exceeding;
    for (const auto& [key, role] : world_.memberships) {
        // "Leaving an organization leaves its groups"
        if (key[0] == ask_.user && key[1] == ask_.organization &&
            (ask_.group.empty() || key[2] == ask_.group)) {
            exceed(exceeding, key[1], key[2], words_of_role(world_, role), false);
        }
    }
    return unless(exceeding);
}

Expected Oracle::create_token() const {
    if (!sees_place()) {
        return not_found();
    }
    if (is_suspended(ask_.organization) && !system_) {
        return suspended();
    }
    if (!may_here("auth:tokens:write")) {
        return lacks("auth:tokens:write");
    }
    Words exceeding;
    exceed(exceeding, ask_.organization, ask_.group, role_list(ask_.role), true);
    exceed(exceeding, ask_.organization, ask_.group, ask_.own, true);
    return unless(exceeding);
}

Expected Oracle::rotate_itself() const {
    bool rotates = system_;
    for (const auto& [name, organization] : world_.organizations) {
        for (const std::string& group : {std::string(), std::string("g"), std::string("h")}) {
            rotates = rotates || (!organization.suspended &&
                                  has(held(world_, who_, name, group), "auth:rotate"));
        }
    }
    if (!rotates) {
        return lacks("auth:rotate");
    }
    const bool fixed = token_->kind == kind_user || !system_;
    return ask_.expires && fixed ? Expected{"fields_invalid", "expires", {}} : ok();
}

Expected Oracle::about_token() const {
    const WordSet mine = here(token_->organization, token_->group);
    const Action action = ask_.action;
    if (itself_) {
        if (action == Action::see_token || action == Action::introspect_token ||
            action == Action::revoke_token) {
            return ok();
        }
        if (action == Action::rotate_token) {
            return rotate_itself();
        }
    } else if (!has(mine, "auth:tokens:read")) {
        return not_found();
    }
    const bool reads_revokes_deletes = action != Action::change_token &&
                                       action != Action::restore_token &&
                                       action != Action::rotate_token;
    if (is_suspended(token_->organization) && !system_ && (by_token_ || !reads_revokes_deletes)) {
        return suspended();
    }
    if (action == Action::see_token || action == Action::introspect_token) {
        return ok();
    }
    if (!has(mine, "auth:tokens:write")) {
        return lacks("auth:tokens:write");
    }
    Words exceeding;
    if (action != Action::revoke_token) {  // "Revoking needs auth:tokens:write alone"
        exceed_of_token(exceeding, *token_,
                        action == Action::restore_token || action == Action::rotate_token);
    }
    if (action == Action::change_token) {
        exceed(exceeding, token_->organization, token_->group, role_list(ask_.role), true);
        exceed(exceeding, token_->organization, token_->group, ask_.own, true);
    }
    return unless(exceeding);
}

Expected Oracle::about_personal_token() const {
    const Action action = ask_.action;
    if (who_.via == Via::session && who_.id == token_->owner) {
        return ok();
    }
    if (itself_) {
        if (action == Action::see_token || action == Action::introspect_token ||
            action == Action::revoke_token) {
            return ok();
        }
        if (action == Action::rotate_token) {
            return rotate_itself();
        }
    }
    // "auth:system sees, revokes, deletes other people's, no more"
    if (system_) {
        return action == Action::change_token || action == Action::restore_token ||
                       action == Action::rotate_token
                   ? session_required()
                   : ok();
    }
    if (itself_) {
        return session_required();
    }
    if (action == Action::introspect_token && !ask_.organization.empty() &&
        world_.memberships.count({token_->owner, ask_.organization, ""}) != 0 &&
        has(held(world_, who_, ask_.organization, ""), "auth:tokens:read")) {
        return is_suspended(ask_.organization) && by_token_ ? suspended() : ok();
    }
    return not_found();
}

}  // namespace

WordSet covered_by(const Words& list) {
    static std::map<Words, WordSet> known;
    const auto [entry, is_new] = known.try_emplace(list);
    if (is_new) {
        for (std::size_t i = 0; i < rights_words.size(); ++i) {
            const std::string& word = rights_words[i];
            bool covered = false;
            for (const std::string& grant : list) {
                covered = covered || word_covers(grant, word);
                if (is_admin_word(word) && ends(word, ":read")) {  // ":write includes :read"
                    covered =
                        covered || word_covers(grant, word.substr(0, word.size() - 4) + "write");
                }
            }
            entry->second.set(i, covered);
        }
    }
    return entry->second;
}

WordSet administrative_words() {
    WordSet words;
    for (std::size_t i = 0; i < rights_words.size(); ++i) {
        words.set(i, is_admin_word(rights_words[i]));
    }
    return words;
}

WordSet held(const RightsWorld& world, const Who& who, const std::string& organization,
             const std::string& group) {
    if (who.via == Via::session) {
        return held_by_person(world, who.id, organization, group);
    }
    if (who.via != Via::token) {
        return {};
    }
    const RightsToken& token = world.tokens.at(who.id);
    if (token.kind == kind_user) {
        const WordSet words = held_by_person(world, token.owner, organization, group);
        return token.own ? words & covered_by(*token.own) : words & ~administrative_words();
    }
    const bool reached =
        token.organization == organization && (token.group.empty() || token.group == group);
    if (!reached || (!token.role && !token.own)) {
        return {};
    }
    WordSet words = all_words();
    if (token.role) {
        words &= role_words(world, *token.role);
    }
    if (token.own) {
        words &= covered_by(*token.own);
    }
    return words;
}

bool is_the_system(const RightsWorld& world, const Who& who) {
    return who.via == Via::tokenctl || (!world.organizations.at("sys").suspended &&
                                        has(held(world, who, "sys", ""), "auth:system"));
}

Expected expected_decision(const RightsWorld& world, const Who& who, const Ask& ask) {
    return Oracle(world, who, ask).answer();
}

Words expected_may(const RightsWorld& world, const Who& who, const std::string& organization,
                   const std::string& group) {
    const WordSet words = held(world, who, organization, group);
    const bool system = is_the_system(world, who);
    Words may;
    for (const char* const scope :
         {"auth:tokens:read", "auth:tokens:write", "auth:members:read", "auth:members:write",
          "auth:groups:write", "auth:audit:read", "auth:rotate"}) {
        if (system || has(words, scope)) {
            may.insert(scope);
        }
    }
    if (!group.empty()) {
        may.erase("auth:groups:write");
    }
    if (system && organization == "sys" && group.empty()) {
        may.insert("auth:system");
    }
    return may;
}

std::string description(const RightsWorld& world) {
    std::string out = fmt::format("now {}\n", world.now);
    for (const auto& [name, words] : world.roles) {
        out += fmt::format("role {}: {}\n", name, words);
    }
    for (const auto& [name, organization] : world.organizations) {
        out += fmt::format("organization {}{}: {}\n", name,
                           organization.suspended ? " (suspended)" : "", organization.groups);
    }
    for (const auto& [key, role] : world.memberships) {
        out += fmt::format("{} in {}/{}: {}\n", key[0], key[1], key[2], role);
    }
    for (const auto& [id, token] : world.tokens) {
        out += fmt::format("token {} ({}{}) in {}/{}: role {}, own {}, expires {}{}{}\n", id,
                           kind_name(token.kind), token.owner.empty() ? "" : " of " + token.owner,
                           token.organization, token.group, token.role.value_or("-"),
                           token.own ? fmt::format("{}", *token.own) : "-", token.expires,
                           token.revoked ? ", revoked" : "", token.rotated ? ", rotated" : "");
    }
    return out;
}

std::string description(const Who& who) {
    constexpr const char* vias[] = {"session", "token", "auth_token", "tokenctl"};
    return fmt::format("{} {}", vias[static_cast<std::size_t>(who.via)], who.id);
}

std::string description(const Ask& ask) {
    return fmt::format("action {} in {}/{}, token {}, user {}, role {}, own {}, expires {}",
                       static_cast<unsigned>(ask.action), ask.organization, ask.group, ask.token,
                       ask.user, ask.role.value_or("-"),
                       ask.own ? fmt::format("{}", *ask.own) : "-",
                       ask.expires ? std::to_string(*ask.expires) : "-");
}

}  // namespace token_auth::unit
