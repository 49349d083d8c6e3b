#include "registry/rights.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <set>
#include <stdexcept>

#include "token_auth/text.hpp"

namespace token_auth::registry::rights {
namespace {

constexpr bool rules_stand_in_order() {
    for (std::size_t i = 0; i < std::size(rules); ++i) {
        if (static_cast<std::size_t>(rules[i].action) != i) {
            return false;
        }
    }
    return std::size(rules) == static_cast<std::size_t>(Action::delete_token) + 1;
}
static_assert(rules_stand_in_order());

const Rule& rule_of(Action action) {
    return rules[static_cast<std::size_t>(action)];
}

bool any_covers(const Scopes& granted, std::string_view wanted) {
    return std::any_of(granted.begin(), granted.end(),
                       [&](const std::string& one) { return scope_covers(one, wanted); });
}

// As scope_covers(), but that ":write" includes ":read", and no wildcard auth:system.
bool covers(const Scopes& granted, std::string_view wanted) {
    if (wanted == scope::system) {
        return std::find(granted.begin(), granted.end(), wanted) != granted.end();
    }
    if (any_covers(granted, wanted)) {
        return true;
    }
    constexpr std::string_view read = ":read";
    if (!is_reserved(wanted) || !wanted.ends_with(read)) {
        return false;
    }
    std::string write(wanted.substr(0, wanted.size() - read.size()));
    write += ":write";
    return any_covers(granted, write);
}

// No two nobodies are the same.
bool is_same(const std::string& one, const std::string& other) {
    return !one.empty() && one == other;
}

Place organization_of(Place place) {
    place.group.clear();
    return place;
}

bool reaches(const Place& held, const Place& place) {
    return held.organization == place.organization &&
           (held.group.empty() || held.group == place.group);
}

// What the calling token's own list leaves. A personal token without one manages nothing.
bool own_list_allows(const Caller& caller, std::string_view wanted) {
    if (caller.own) {
        return covers(*caller.own, wanted);
    }
    return caller.via != Via::token || caller.kind != kind_user || !is_reserved(wanted);
}

bool gives(const Caller& caller, const Holding& holding, std::string_view wanted) {
    const bool has_list = holding.role || caller.own;
    return has_list && caller.via != Via::auth_token &&
           (!holding.role || covers(*holding.role, wanted)) && own_list_allows(caller, wanted);
}

// What the memberships and the token say, be the caller the system or not.
bool is_given(const Caller& caller, const Place& place, std::string_view wanted) {
    return std::any_of(caller.holdings.begin(), caller.holdings.end(), [&](const Holding& holding) {
        return reaches(holding.place, place) && gives(caller, holding, wanted);
    });
}

// As at the gateway: a token of a suspended organization is refused whatever it asks for.
bool is_suspended(const Caller& caller) {
    return caller.via == Via::token && caller.kind != kind_user &&
           std::any_of(caller.holdings.begin(), caller.holdings.end(),
                       [](const Holding& holding) { return holding.place.suspended; });
}

bool sees_organization(const Caller& caller, const Place& place) {
    return is_system(caller) ||
           std::any_of(caller.holdings.begin(), caller.holdings.end(), [&](const Holding& holding) {
               return holding.place.organization == place.organization;
           });
}

bool sees_group(const Caller& caller, const Place& place) {
    return !may(caller, organization_of(place)).empty() ||
           std::any_of(caller.holdings.begin(), caller.holdings.end(), [&](const Holding& holding) {
               return holding.place.organization == place.organization &&
                      holding.place.group == place.group;
           });
}

bool sees_place(const Caller& caller, const Place& place) {
    return sees_organization(caller, place) && (place.group.empty() || sees_group(caller, place));
}

template <typename Predicate>
void collect_unless(const Grant& grant, std::set<std::string>& exceeding, Predicate covered) {
    for (const std::optional<Scopes>* list : {&grant.role, &grant.own}) {
        if (*list) {
            std::copy_if((*list)->begin(), (*list)->end(),
                         std::inserter(exceeding, exceeding.end()),
                         [&](const std::string& one) { return !covered(one); });
        }
    }
}

Decision refused(Code code) {
    Decision decision;
    decision.code = code;
    return decision;
}

Decision missing(std::string_view needed) {
    Decision decision = refused(Code::scope_missing);
    decision.scope = needed;
    return decision;
}

// One question, answered step by step: each returns the refusal, or ok to go on.
class Question {
  public:
    Question(const Caller& caller, const Request& request)
        : caller_(caller),
          request_(request),
          rule_(rule_of(request.action)),
          system_(is_system(caller)) {}

    Decision decision() const;

  private:
    Decision rights() const;
    Decision on_system() const;
    Decision on_place() const;
    Decision on_token() const;
    Decision on_personal_token() const;
    Decision rotate_itself() const;
    Decision suspension() const;
    Decision needs() const;
    Decision needs_for_contents() const;
    Decision grants() const;
    Decision facts() const;

    bool is_itself() const {
        return caller_.via == Via::token && is_same(caller_.token, request_.token.id);
    }
    bool is_leaving() const {
        return request_.action == Action::remove_member && caller_.via == Via::session &&
               is_same(caller_.user, request_.user);
    }
    Place place_of(const Grant& grant) const {
        Place place = request_.place;
        place.group = grant.group;
        return place;
    }

    const Caller& caller_;
    const Request& request_;
    const Rule& rule_;
    const bool system_;
};

Decision Question::decision() const {
    Decision refusal = caller_.via == Via::tokenctl ? Decision{} : rights();
    return refusal ? facts() : refusal;
}

Decision Question::rights() const {
    if (caller_.via == Via::auth_token && request_.action != Action::create_personal_token) {
        return refused(Code::session_required);
    }
    if (is_suspended(caller_)) {
        return refused(Code::organization_suspended);
    }
    switch (rule_.target) {
        case Target::self:
            return {};
        case Target::account:
            return refused(caller_.via == Via::token ? Code::session_required : Code::ok);
        case Target::system_list:
        case Target::system_entry:
            return on_system();
        case Target::place:
        case Target::member:
            return on_place();
        case Target::token:
            return request_.token.kind == kind_user ? on_personal_token() : on_token();
    }
    return refused(Code::not_found);
}

Decision Question::on_system() const {
    if (system_) {
        return {};
    }
    return rule_.target == Target::system_list ? missing(scope::system) : refused(Code::not_found);
}

Decision Question::on_place() const {
    if (!sees_place(caller_, request_.place)) {
        return refused(Code::not_found);
    }
    if (rule_.target == Target::member && !is_leaving() &&
        !holds(caller_, request_.place, scope::members_read)) {
        return refused(Code::not_found);
    }
    if (Decision refusal = suspension(); !refusal) {
        return refusal;
    }
    if (is_leaving()) {
        return {};
    }
    if (Decision refusal = needs(); !refusal) {
        return refusal;
    }
    return grants();
}

Decision Question::on_token() const {
    if (is_itself()) {
        switch (request_.action) {
            case Action::see_token:
            case Action::introspect_token:
            case Action::revoke_token:
                return {};
            case Action::rotate_token:
                return rotate_itself();
            default:
                break;
        }
    } else if (!holds(caller_, request_.place, scope::tokens_read)) {
        return refused(Code::not_found);
    }
    if (Decision refusal = suspension(); !refusal) {
        return refusal;
    }
    if (Decision refusal = needs(); !refusal) {
        return refusal;
    }
    return grants();
}

// It is its owner's, in a session. Its scopes may be any: they only narrow what the owner may do.
Decision Question::on_personal_token() const {
    if (caller_.via == Via::session && is_same(caller_.user, request_.token.owner)) {
        return {};
    }
    switch (request_.action) {
        case Action::introspect_token:
            if (is_itself() || system_) {
                return {};
            }
            if (!request_.token.owner_is_member ||
                !holds(caller_, organization_of(request_.place), scope::tokens_read)) {
                return refused(Code::not_found);
            }
            return suspension();
        case Action::see_token:
        case Action::revoke_token:
            return refused(is_itself() || system_ ? Code::ok : Code::not_found);
        case Action::delete_token:
            if (system_) {
                return {};
            }
            break;
        case Action::rotate_token:
            if (is_itself()) {
                return rotate_itself();
            }
            break;
        default:
            break;
    }
    return refused(is_itself() || system_ ? Code::session_required : Code::not_found);
}

// It stays as it is, so that nothing is given.
Decision Question::rotate_itself() const {
    const bool allowed =
        system_ ||
        std::any_of(caller_.holdings.begin(), caller_.holdings.end(), [&](const Holding& holding) {
            return !holding.place.suspended && gives(caller_, holding, scope::rotate);
        });
    if (!allowed) {
        return missing(scope::rotate);
    }
    if (request_.expires && !(system_ && request_.token.kind != kind_user)) {
        return {Code::fields_invalid, {}, {}, "expires"};
    }
    return {};
}

Decision Question::suspension() const {
    const bool stops =
        request_.place.suspended && !system_ && (caller_.via == Via::token || !rule_.if_suspended);
    return refused(stops ? Code::organization_suspended : Code::ok);
}

Decision Question::needs() const {
    if (rule_.needs.empty() || (rule_.needs == scope::system && system_)) {
        return {};
    }
    if (rule_.needs == scope::system) {
        return missing(scope::system);
    }
    const Place& place = request_.place;
    const bool in_organization = rule_.needs == scope::groups_write;
    if (holds(caller_, in_organization ? organization_of(place) : place, rule_.needs)) {
        return needs_for_contents();
    }
    if (request_.action == Action::list_grants && holds(caller_, place, scope::members_write)) {
        return {};
    }
    return missing(rule_.needs);
}

// A group goes with what is in it: who removes it could as well do that one by one.
Decision Question::needs_for_contents() const {
    if (request_.action != Action::remove_group) {
        return {};
    }
    for (const Grant& grant : request_.before) {
        const std::string_view needed =
            grant.to == Grant::To::token ? scope::tokens_write : scope::members_write;
        if (!holds(caller_, place_of(grant), needed)) {
            return missing(needed);
        }
    }
    return {};
}

Decision Question::grants() const {
    const Covers what = rule_.covers;
    const bool goes = what == Covers::before || what == Covers::both || what == Covers::kept;
    const bool results = what == Covers::after || what == Covers::both;
    const bool may_be_empty =
        request_.action == Action::put_member || request_.action == Action::remove_group;
    if ((goes && request_.before.empty() && !may_be_empty) || (results && !request_.after)) {
        throw std::logic_error("rights::authorize() is not told what is granted");
    }
    std::set<std::string> exceeding;
    if (goes) {
        for (const Grant& grant : request_.before) {
            collect_unless(grant, exceeding, [&](std::string_view one) {
                return what == Covers::kept ? may_give(caller_, place_of(grant), one)
                                            : holds(caller_, place_of(grant), one);
            });
        }
    }
    if (results) {
        collect_unless(*request_.after, exceeding, [&](std::string_view one) {
            return may_give(caller_, place_of(*request_.after), one);
        });
    }
    if (exceeding.empty()) {
        return {};
    }
    return {Code::grant_exceeds, {}, {exceeding.begin(), exceeding.end()}};
}

// What holds for everybody.
Decision Question::facts() const {
    constexpr auto end = [](std::int64_t expires) {
        return expires == 0 ? std::numeric_limits<std::int64_t>::max() : expires;
    };
    const Subject& token = request_.token;
    if (request_.action == Action::change_token && request_.expires &&
        end(*request_.expires) > end(token.expires) &&
        (token.rotated || end(token.expires) <= request_.now)) {
        return refused(Code::token_final);
    }
    const bool stops = request_.action == Action::suspend_organization ||
                       request_.action == Action::remove_organization;
    if (stops && request_.place.system && caller_.via != Via::tokenctl) {
        return refused(Code::system_organization);
    }
    return {};
}

}  // namespace

std::string_view code_name(Code code) {
    constexpr std::string_view names[] = {"ok",
                                          "not_found",
                                          "session_required",
                                          "organization_suspended",
                                          "scope_missing",
                                          "grant_exceeds",
                                          "fields_invalid",
                                          "token_final",
                                          "system_organization"};
    static_assert(std::size(names) == static_cast<std::size_t>(Code::system_organization) + 1);
    return names[static_cast<std::size_t>(code)];
}

Decision authorize(const Caller& caller, const Request& request) {
    return Question(caller, request).decision();
}

bool is_system(const Caller& caller) {
    return caller.via == Via::tokenctl ||
           std::any_of(caller.holdings.begin(), caller.holdings.end(), [&](const Holding& holding) {
               const Place& place = holding.place;
               return place.system && !place.suspended && place.group.empty() &&
                      gives(caller, holding, scope::system);
           });
}

bool holds(const Caller& caller, const Place& place, std::string_view wanted) {
    return is_given(caller, place, wanted) || is_system(caller);
}

std::vector<std::string_view> may(const Caller& caller, const Place& place) {
    std::vector<std::string_view> held;
    const bool system = is_system(caller);
    for (const std::string_view one : administrative_scopes) {
        const bool there = one == scope::system         ? place.system && place.group.empty()
                           : one == scope::groups_write ? place.group.empty()
                                                        : true;
        if (there && (system || (one != scope::system && is_given(caller, place, one)))) {
            held.push_back(one);
        }
    }
    return held;
}

bool may_give(const Caller& caller, const Place& place, std::string_view wanted) {
    return holds(caller, place, wanted) &&
           (caller.via != Via::token || !is_reserved(wanted) || is_system(caller));
}

bool may_give(const Caller& caller, const Place& place, const Scopes& scopes) {
    return std::all_of(scopes.begin(), scopes.end(), [&](const std::string& one) {
        return may_give(caller, place, std::string_view(one));
    });
}

bool is_of_use(const Caller& caller, std::string_view wanted) {
    if (wanted == scope::system) {
        return is_system(caller);
    }
    return std::any_of(caller.holdings.begin(), caller.holdings.end(),
                       [&](const Holding& holding) { return gives(caller, holding, wanted); });
}

bool is_administrative(const Scopes& scopes) {
    return std::any_of(scopes.begin(), scopes.end(),
                       [](const std::string& one) { return is_reserved(one); });
}

AuditReach audit_reach(const Caller& caller) {
    if (is_system(caller)) {
        return AuditReach::all;
    }
    return caller.via == Via::token ? AuditReach::token : AuditReach::user;
}

}  // namespace token_auth::registry::rights
