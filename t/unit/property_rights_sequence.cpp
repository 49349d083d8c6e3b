// Nobody gets more than they had: lets callers do whatever rights::authorize() lets them do, in any
// order, with everything that they make by it, and looks after each step at what everybody holds.
//
// TOKEN_AUTH_CASES sets the number of sequences, TOKEN_AUTH_SEED repeats a run.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "rights_world.hpp"
#include "world_store.hpp"

namespace token_auth::unit {
namespace {

using rights::Action;
using rights::Via;
using PlaceName = std::pair<std::string, std::string>;  // organization, group

// Numbers that choose, among what there is by then, who does what.
struct Step {
    std::uint32_t caller = 0;
    std::uint32_t what = 0;
    std::uint32_t place = 0;
    std::uint32_t token = 0;
    std::uint32_t user = 0;
    std::uint32_t grant = 0;
    std::uint32_t expires = 0;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << fmt::format("{{{}, {}, {}, {}, {}, {}, {}}}", step.caller, step.what, step.place,
                              step.token, step.user, step.grant, step.expires);
}

// What callers do; those that change the most often.
const std::vector<Action> actions = {
    Action::create_token,  Action::create_token,  Action::create_token,
    Action::change_token,  Action::change_token,  Action::change_token,
    Action::revoke_token,  Action::revoke_token,  Action::restore_token,
    Action::restore_token, Action::rotate_token,  Action::rotate_token,
    Action::delete_token,  Action::put_member,    Action::put_member,
    Action::put_member,    Action::remove_member, Action::create_personal_token,
    Action::add_group,     Action::remove_group,
};

const std::vector<std::string> organization_names = {"sys", "acme", "globex"};
const std::vector<std::string> group_names = {"g", "h", "k"};
const std::vector<std::string> people_names = {"ann", "bob", "cid", "dot", "eve"};

std::vector<PlaceName> all_places() {
    std::vector<PlaceName> places;
    for (const std::string& organization : organization_names) {
        places.emplace_back(organization, "");
        for (const std::string& group : group_names) {
            places.emplace_back(organization, group);
        }
    }
    return places;
}
const std::vector<PlaceName> places = all_places();

using Holdings = std::vector<WordSet>;  // in the order of places

bool is_valid(const RightsWorld& world, const RightsToken& token) {
    return !token.revoked && (token.expires == 0 || token.expires > world.now);
}

Holdings holdings_of(const RightsWorld& world, const Who& who) {
    Holdings all;
    const bool valid = who.via != Via::token || is_valid(world, world.tokens.at(who.id));
    for (const auto& [organization, group] : places) {
        all.push_back(valid ? held(world, who, organization, group) : WordSet());
    }
    return all;
}

void add(Holdings& to, const Holdings& more) {
    for (std::size_t i = 0; i < places.size(); ++i) {
        to[i] |= more[i];
    }
}

// Not counting suspensions: they come and go.
bool is_system_for_good(const Holdings& holdings) {
    const auto at = std::find(rights_words.begin(), rights_words.end(), "auth:system");
    return holdings[0].test(static_cast<std::size_t>(at - rights_words.begin()));
}

std::map<Who, Holdings> everybody(const RightsWorld& world) {
    std::map<Who, Holdings> all;
    for (const std::string& person : world.people) {
        const Who who{Via::session, person};
        all[who] = holdings_of(world, who);
    }
    for (const auto& [id, token] : world.tokens) {
        const Who who{Via::token, id};
        all[who] = holdings_of(world, who);
    }
    return all;
}

class Sequence {
  public:
    explicit Sequence(std::uint64_t seed) : draw_(rc::Random(seed)) {
        world_ = draw_rights_world(draw_);
        draw_callers();
        start_ = world_;
        start_holdings_ = everybody(world_);
        bound_.resize(places.size());
        for (const Who& caller : callers_) {
            add(bound_, start_holdings_.at(caller));
            only_tokens_ = only_tokens_ && caller.via == Via::token;
        }
    }

    bool has_system() const { return is_system_for_good(bound_); }
    bool has_only_tokens() const { return only_tokens_; }

    // What was done, if anything.
    std::optional<Action> take(const Step& step);
    // What is wrong after a step; empty: nothing.
    std::string problem(const RightsWorld& before) const;

    const RightsWorld& start() const { return start_; }
    const RightsWorld& world() const { return world_; }
    std::string history;

  private:
    void draw_callers();
    Ask ask_of(const Step& step, const Who& who) const;
    bool is_there(const Ask& ask) const;
    bool is_let(const Who& who, Ask ask) const;

    void apply(const Who& who, const Ask& ask);
    void add_token(RightsToken token);
    void create(const Who& who, const Ask& ask);
    void change(const Ask& ask);
    void rotate(const Who& who, const Ask& ask);
    void remove_member(const Who& who, const Ask& ask);
    void remove_group(const Ask& ask);

    std::string exceeded() const;
    std::string meddled_with() const;
    std::string grown_while_suspended(const RightsWorld& before) const;
    std::string moved_on(const RightsWorld& before) const;
    Holdings limit_of(const Who& who) const;
    bool is_beyond(const PlaceName& place, const std::optional<Words>& list) const;
    std::optional<Words> words_of(const std::optional<std::string>& role) const;

    Draw draw_;
    RightsWorld world_;
    RightsWorld start_;
    std::vector<Who> callers_;  // the first ones, and the tokens that they make
    std::map<Who, Holdings> start_holdings_;
    Holdings bound_;                             // what the first callers held together
    bool only_tokens_ = true;                    // none of them has a session
    std::map<std::string, std::string> heirs_;   // of tokens that rotated themselves: which ones
    std::set<std::array<std::string, 3>> left_;  // memberships that their member ended
    unsigned made_ = 0;
};

void Sequence::draw_callers() {
    const bool sessions = !draw_.chance(30);
    if (sessions) {
        callers_.push_back({Via::session, "eve"});  // who has nothing to begin with
        callers_.push_back({Via::session, draw_.of(people_names)});
    }
    for (std::size_t i = draw_.below(sessions ? 2 : 3) + (sessions ? 0 : 1); i > 0; --i) {
        const std::string id = fmt::format("T{}", draw_.below(world_.tokens.size()));
        RightsToken& token = world_.tokens.at(id);
        token.revoked = false;
        token.expires = 0;
        token.rotated = false;
        callers_.push_back({Via::token, id});
    }
}

Ask Sequence::ask_of(const Step& step, const Who& who) const {
    std::uint32_t numbers = step.grant;
    Draw draw([&numbers] {
        numbers = numbers * 1664525U + 1013904223U;
        return static_cast<std::uint64_t>(numbers >> 8);
    });
    Ask ask;
    const auto& [organization, group] = places[step.place % places.size()];
    ask.organization = organization;
    ask.group = group;
    ask.user = people_names[step.user % people_names.size()];
    auto token = world_.tokens.begin();
    std::advance(token, step.token % world_.tokens.size());
    ask.token = who.via == Via::token && step.token % 5 == 0 ? who.id : token->first;
    if (draw.chance(70)) {
        ask.role = draw_role(draw);
    }
    ask.own = draw_own_list(draw, 50);
    if (step.expires % 2 != 0) {
        ask.expires = step.expires % 4 == 1 ? 0 : world_.now + step.expires % 40;
    }
    ask.action = actions[step.what % actions.size()];
    return ask;
}

// Whatever is not there is not found, and asks nothing of rights.
bool Sequence::is_there(const Ask& ask) const {
    const auto& groups = world_.organizations.at(ask.organization).groups;
    switch (ask.action) {
        case Action::add_group:
            return !ask.group.empty() && groups.count(ask.group) == 0;
        case Action::remove_group:
            return groups.count(ask.group) != 0;
        case Action::remove_member:
            return world_.memberships.count({ask.user, ask.organization, ask.group}) != 0;
        case Action::create_token:
        case Action::put_member:
            return ask.group.empty() || groups.count(ask.group) != 0;
        default:
            return true;
    }
}

std::optional<Action> Sequence::take(const Step& step) {
    // What the callers do not do: time passes, and the system suspends and resumes.
    if (step.what % 16 == 0) {
        world_.now += 1 + step.expires % 15;
        return std::nullopt;
    }
    if (step.what % 16 == 1) {
        bool& suspended = world_.organizations.at(organization_names[1 + step.place % 2]).suspended;
        suspended = !suspended;
        return std::nullopt;
    }
    const Who who = callers_[step.caller % callers_.size()];
    if (who.via == Via::token) {
        const auto token = world_.tokens.find(who.id);
        if (token == world_.tokens.end() || !is_valid(world_, token->second)) {
            return std::nullopt;
        }
    }
    // Most of what could be asked is refused: try some more until something is not.
    for (std::uint32_t i = 0; i < 24; ++i) {
        Step other = step;
        other.place += i;
        other.token += 7 * i;
        other.user += i;
        other.grant += 13 * i;
        const Ask ask = ask_of(other, who);
        if (is_there(ask) && is_let(who, ask)) {
            apply(who, ask);
            return ask.action;
        }
    }
    return std::nullopt;
}

bool Sequence::is_let(const Who& who, Ask ask) const {
    if (ask.action == Action::add_group) {
        ask.group.clear();  // it is asked of the organization
    }
    return static_cast<bool>(rights::authorize(caller_of(world_, who), request_of(world_, ask)));
}

void Sequence::add_token(RightsToken token) {
    const std::string id = fmt::format("N{}", made_++);
    world_.tokens[id] = std::move(token);
    callers_.push_back({Via::token, id});
}

void Sequence::create(const Who& who, const Ask& ask) {
    RightsToken token;
    token.own = ask.own;
    token.expires = ask.expires.value_or(0);
    if (ask.action == Action::create_personal_token) {
        token.kind = kind_user;
        token.owner = caller_of(world_, who).user;
    } else {
        token.kind = ask.group.empty() ? kind_organization : kind_group;
        token.organization = ask.organization;
        token.group = ask.group;
        token.role = ask.role;
    }
    add_token(std::move(token));
}

void Sequence::change(const Ask& ask) {
    RightsToken& token = world_.tokens.at(ask.token);
    token.own = ask.own;
    token.role = token.kind == kind_user ? std::nullopt : ask.role;
    token.expires = ask.expires.value_or(token.expires);
}

void Sequence::rotate(const Who& who, const Ask& ask) {
    RightsToken& token = world_.tokens.at(ask.token);
    if (!is_valid(world_, token) || token.rotated) {
        return;  // not_rotatable
    }
    RightsToken successor = token;
    successor.expires = ask.expires.value_or(token.expires == 0 ? 0 : token.expires + 20);
    token.rotated = true;
    token.expires = world_.now + 3;
    if (who.via == Via::token && who.id == ask.token) {
        const auto heir = heirs_.find(ask.token);
        heirs_[fmt::format("N{}", made_)] = heir == heirs_.end() ? ask.token : heir->second;
    }
    add_token(std::move(successor));
}

void Sequence::remove_member(const Who& who, const Ask& ask) {
    std::erase_if(world_.memberships, [&](const auto& entry) {
        const auto& [user, organization, group] = entry.first;
        const bool goes = user == ask.user && organization == ask.organization &&
                          (ask.group.empty() || group == ask.group);
        if (goes && who.via == Via::session && who.id == user) {
            left_.insert(entry.first);
        }
        return goes;
    });
}

void Sequence::remove_group(const Ask& ask) {
    world_.organizations.at(ask.organization).groups.erase(ask.group);
    std::erase_if(world_.tokens, [&](const auto& entry) {
        return entry.second.organization == ask.organization && entry.second.group == ask.group;
    });
    std::erase_if(world_.memberships, [&](const auto& entry) {
        return entry.first[1] == ask.organization && entry.first[2] == ask.group;
    });
}

void Sequence::apply(const Who& who, const Ask& ask) {
    history += fmt::format("{}: {}\n", description(who), description(ask));
    switch (ask.action) {
        case Action::create_token:
        case Action::create_personal_token:
            return create(who, ask);
        case Action::change_token:
            return change(ask);
        case Action::revoke_token:
        case Action::restore_token:
            world_.tokens.at(ask.token).revoked = ask.action == Action::revoke_token;
            return;
        case Action::rotate_token:
            return rotate(who, ask);
        case Action::delete_token:
            world_.tokens.erase(ask.token);
            return;
        case Action::put_member:
            world_.memberships[{ask.user, ask.organization, ask.group}] = ask.role.value_or("gone");
            return;
        case Action::remove_member:
            return remove_member(who, ask);
        case Action::add_group:
            world_.organizations.at(ask.organization).groups.insert(ask.group);
            return;
        default:
            return remove_group(ask);
    }
}

// Suspended organizations shrink only.
std::string Sequence::grown_while_suspended(const RightsWorld& before) const {
    const auto is_suspended = [&](const std::string& name) {
        const auto found = before.organizations.find(name);
        return found != before.organizations.end() && found->second.suspended;
    };
    for (const auto& [name, organization] : world_.organizations) {
        const Words& groups = before.organizations.at(name).groups;
        if (is_suspended(name) &&
            !std::includes(groups.begin(), groups.end(), organization.groups.begin(),
                           organization.groups.end())) {
            return "a group was added to a suspended organization";
        }
    }
    for (const auto& [key, role] : world_.memberships) {
        const auto was = before.memberships.find(key);
        if (is_suspended(key[1]) && (was == before.memberships.end() || was->second != role)) {
            return "a membership was put in a suspended organization";
        }
    }
    for (const auto& [id, token] : world_.tokens) {
        const auto was = before.tokens.find(id);
        RightsToken revoked = token;
        revoked.revoked = true;
        if (is_suspended(token.organization) &&
            (was == before.tokens.end() || (was->second != token && was->second == revoked) ||
             (was->second != token && !token.revoked))) {
            return fmt::format("token {} came or changed in a suspended organization", id);
        }
    }
    return {};
}

// What expired or was rotated lives no longer than it did then.
std::string Sequence::moved_on(const RightsWorld& before) const {
    for (const auto& [id, was] : before.tokens) {
        const bool expired = was.expires != 0 && was.expires <= before.now;
        const auto found = world_.tokens.find(id);
        if ((expired || was.rotated) && was.expires != 0 && found != world_.tokens.end() &&
            (found->second.expires == 0 || found->second.expires > was.expires)) {
            return fmt::format("the expiry of token {} was moved on", id);
        }
    }
    return {};
}

std::optional<Words> Sequence::words_of(const std::optional<std::string>& role) const {
    if (!role) {
        return std::nullopt;
    }
    const auto found = world_.roles.find(*role);
    return found == world_.roles.end() ? Words() : found->second;
}

bool Sequence::is_beyond(const PlaceName& place, const std::optional<Words>& list) const {
    const auto at = std::find(places.begin(), places.end(), place) - places.begin();
    return list && std::any_of(list->begin(), list->end(), [&](const std::string& word) {
               const auto found = std::find(rights_words.begin(), rights_words.end(), word);
               return !bound_[static_cast<std::size_t>(at)].test(
                   static_cast<std::size_t>(found - rights_words.begin()));
           });
}

// What the callers could never have given themselves is still as it was, but for being revoked.
std::string Sequence::meddled_with() const {
    for (const auto& [key, role] : start_.memberships) {
        const auto found = world_.memberships.find(key);
        if (is_beyond({key[1], key[2]}, words_of(role)) && left_.count(key) == 0 &&
            (found == world_.memberships.end() || found->second != role)) {
            return fmt::format("{} in {}/{} is no longer {}", key[0], key[1], key[2], role);
        }
    }
    for (const auto& [id, token] : start_.tokens) {
        const PlaceName place = {token.organization, token.group};
        if (token.kind == kind_user ||
            (!is_beyond(place, token.own) && !is_beyond(place, words_of(token.role)))) {
            continue;
        }
        const auto found = world_.tokens.find(id);
        if (found == world_.tokens.end() || found->second.role != token.role ||
            found->second.own != token.own) {
            return fmt::format("token {} is gone, or changed", id);
        }
    }
    return {};
}

// What somebody may hold by now: what the callers held, and what they held themselves.
Holdings Sequence::limit_of(const Who& who) const {
    Holdings limit = bound_;

    if (only_tokens_) {
        for (WordSet& words : limit) {
            words &= ~administrative_words();
        }
    }
    const auto heir = heirs_.find(who.id);
    const Who origin = heir == heirs_.end() ? who : Who{Via::token, heir->second};
    const auto start = start_holdings_.find(origin);
    if (start != start_holdings_.end()) {
        add(limit, start->second);
    }
    return limit;
}

std::string Sequence::exceeded() const {
    for (const auto& [who, holdings] : everybody(world_)) {
        const Holdings limit = limit_of(who);
        for (std::size_t i = 0; i < places.size(); ++i) {
            const WordSet more = holdings[i] & ~limit[i];
            for (std::size_t word = 0; word < rights_words.size(); ++word) {
                if (more.test(word)) {
                    return fmt::format("{} holds {} in {}/{}", description(who), rights_words[word],
                                       places[i].first, places[i].second);
                }
            }
        }
    }
    return {};
}

std::string Sequence::problem(const RightsWorld& before) const {
    for (const std::string& found :
         {exceeded(), meddled_with(), grown_while_suspended(before), moved_on(before)}) {
        if (!found.empty()) {
            return found;
        }
    }
    return {};
}

rc::Gen<Step> step_of() {
    const auto number = rc::gen::inRange<std::uint32_t>(0, 5040);
    return rc::gen::build<Step>(
        rc::gen::set(&Step::caller, number), rc::gen::set(&Step::what, number),
        rc::gen::set(&Step::place, number), rc::gen::set(&Step::token, number),
        rc::gen::set(&Step::user, number), rc::gen::set(&Step::grant, number),
        rc::gen::set(&Step::expires, number));
}

int run() {
    const std::uint64_t cases = number_from("TOKEN_AUTH_CASES", 6'000);
    const std::uint64_t seed = number_from("TOKEN_AUTH_SEED", std::random_device{}());
    std::uint64_t steps_done = 0;
    std::uint64_t of_tokens = 0;
    std::map<Action, std::uint64_t> done;
    rc::detail::TestListenerAdapter listener;
    const std::unordered_map<std::string, rc::detail::Reproduce> nothing_to_repeat;
    rc::detail::TestParams parameters;
    parameters.seed = seed;
    parameters.maxSuccess = static_cast<int>(cases);
    const auto result = rc::detail::checkTestable(
        [&] {
            const auto world_seed = *rc::gen::noShrink(rc::gen::arbitrary<std::uint32_t>());
            const auto steps =
                *rc::gen::resize(60, rc::gen::container<std::vector<Step>>(step_of()));
            Sequence sequence(world_seed);
            if (sequence.has_system()) {
                return;  // holds everything already
            }
            of_tokens += sequence.has_only_tokens() ? 1 : 0;
            for (const Step& step : steps) {
                const RightsWorld before = sequence.world();
                const std::optional<Action> action = sequence.take(step);
                if (!action) {
                    continue;
                }
                ++steps_done;
                ++done[*action];
                const std::string problem = sequence.problem(before);
                if (!problem.empty()) {
                    RC_FAIL(fmt::format("{}\n{}\nbegan as\n{}", problem, sequence.history,
                                        description(sequence.start())));
                }
            }
        },
        rc::detail::TestMetadata{}, parameters, listener, nothing_to_repeat);
    if (!result.is<rc::detail::SuccessResult>()) {
        rc::detail::printResultMessage(result, std::cerr);
        std::cerr << fmt::format("\nto repeat it: TOKEN_AUTH_SEED={} TOKEN_AUTH_CASES={}\n", seed,
                                 cases);
        return 1;
    }
    fmt::print("{} steps in {} sequences, {} of them of tokens alone, seed {}\n", steps_done, cases,
               of_tokens, seed);
    for (const auto& [action, count] : done) {
        fmt::print("{:>9}  action {}\n", count, static_cast<unsigned>(action));
    }
    // Too few steps would mean nothing.
    const std::set<Action> all(actions.begin(), actions.end());
    if (cases >= 1'000 && (done.size() < all.size() || steps_done < 3 * cases)) {
        std::cerr << "too little was done\n";
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    try {
        return token_auth::unit::run();
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
