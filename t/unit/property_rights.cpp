// Who may manage what: asks rights::authorize() and the document's oracle the same questions about
// random worlds: who, what, where.
//
// TOKEN_AUTH_CASES sets the number of cases, TOKEN_AUTH_SEED repeats a run.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "rights_world.hpp"
#include "world_store.hpp"

namespace token_auth::unit {
namespace {

using rights::Action;
using rights::Via;

constexpr std::uint64_t cases_per_world = 1000;

std::vector<Who> callers_in(const RightsWorld& world) {
    std::vector<Who> callers = {{Via::tokenctl, ""}, {Via::auth_token, "ann"}};
    for (const std::string& person : world.people) {
        callers.insert(callers.end(), 2, {Via::session, person});
    }
    for (const auto& [id, token] : world.tokens) {
        callers.push_back({Via::token, id});
    }
    const std::vector<Who> once = callers;
    std::copy_if(once.begin(), once.end(), std::back_inserter(callers),
                 [&](const Who& who) { return is_the_system(world, who); });
    return callers;
}

bool is_of_token(Action action) {
    return action >= Action::see_token;
}
bool is_of_group(Action action) {
    return action == Action::see_group || action == Action::remove_group;
}
bool is_of_organization(Action action) {
    return (action >= Action::see_organization && action <= Action::remove_organization) ||
           action == Action::list_groups || action == Action::add_group;
}
bool removes_nobody(const RightsWorld& world, const Ask& ask) {
    return ask.action == Action::remove_member &&
           world.memberships.count({ask.user, ask.organization, ask.group}) == 0;
}

Ask draw_ask(Draw& draw, const RightsWorld& world, const Who& who, const rights::Caller& caller) {
    static const std::vector<std::string> organizations = {"sys", "acme", "globex"};
    static const std::vector<std::string> groups = {"g", "h"};
    static const std::vector<std::string> people = {"ann", "bob", "cid", "dot", "eve"};
    static const std::vector<Action> intricate = {
        Action::create_token, Action::change_token, Action::restore_token,
        Action::rotate_token, Action::put_member,   Action::remove_member,
    };
    Ask ask;
    ask.action = draw.chance(40) ? draw.of(intricate)
                                 : static_cast<Action>(draw.below(std::size(rights::rules)));
    // Often where the caller is.
    ask.organization = !caller.holdings.empty() && draw.chance(60)
                           ? draw.of(caller.holdings).place.organization
                           : draw.of(organizations);
    if (is_of_group(ask.action) || (!is_of_organization(ask.action) && draw.chance(50))) {
        ask.group = draw.of(groups);
    }
    ask.user = draw.of(people);
    if (draw.chance(75)) {
        ask.role = draw_role(draw);
    }
    ask.own = draw_own_list(draw, 60);
    if (draw.chance(50)) {
        ask.expires =
            draw.chance(30) ? 0 : world.now - 10 + static_cast<std::int64_t>(draw.below(60));
    }
    if (is_of_token(ask.action)) {
        // Often the caller itself.
        for (unsigned tries = 3; tries > 0; --tries) {
            ask.token = fmt::format("T{}", draw.below(world.tokens.size()));
            if (world.tokens.at(ask.token).organization == ask.organization) {
                break;
            }
        }
        if (who.via == Via::token && draw.chance(25)) {
            ask.token = who.id;
        }
        if (draw.chance(10)) {
            ask.organization.clear();
        }
    }
    return ask;
}

Expected as_expected(const rights::Decision& decision) {
    return {std::string(code_name(decision.code)),
            std::string(decision.scope.empty() ? decision.field : decision.scope),
            {decision.scopes.begin(), decision.scopes.end()}};
}

std::string text_of(const Expected& answer) {
    return fmt::format("{} {} {}", answer.code, answer.scope, answer.scopes);
}

// What is wrong with the answers; empty: nothing.
std::string difference(const RightsWorld& world, const Who& who, const rights::Caller& caller,
                       const Ask& ask, const Expected& expected) {
    const rights::Request request = request_of(world, ask);
    const rights::Decision decision = rights::authorize(caller, request);
    if (as_expected(decision) != expected ||
        !std::is_sorted(decision.scopes.begin(), decision.scopes.end())) {
        return fmt::format("answered {}, not {}", text_of(as_expected(decision)),
                           text_of(expected));
    }
    if (ask.organization.empty()) {
        return {};
    }
    const rights::Place place = place_of(world, ask.organization, ask.group);
    const auto may = rights::may(caller, place);
    const Words may_words(may.begin(), may.end());
    const Words may_expected = expected_may(world, who, ask.organization, ask.group);
    if (may_words != may_expected || !std::is_sorted(may.begin(), may.end())) {
        return fmt::format("may {}, not {}", may, may_expected);
    }
    // What is offered is what creating a token would take.
    if (ask.action == Action::create_token && request.after->role &&
        (expected.code == "ok" || expected.code == "grant_exceeds")) {
        Ask with_role_only = ask;
        with_role_only.own.reset();
        const bool taken = expected_decision(world, who, with_role_only).code == "ok";
        if (rights::may_give(caller, place, *request.after->role) != taken) {
            return fmt::format("role {} is offered, or not, unlike it is taken", *ask.role);
        }
    }
    return {};
}

// Every answer must have occurred often enough to mean something, and every action been allowed.
bool all_occurred(const std::map<std::string, std::uint64_t>& codes,
                  const std::map<Action, std::uint64_t>& allowed, std::uint64_t cases) {
    bool all = true;
    for (std::size_t i = 0; i <= static_cast<std::size_t>(rights::Code::system_organization); ++i) {
        const std::string name(code_name(static_cast<rights::Code>(i)));
        const auto found = codes.find(name);
        const std::uint64_t count = found == codes.end() ? 0 : found->second;
        const bool enough = count >= cases / 2500;
        fmt::print("{:>9}  {}{}\n", count, name, enough ? "" : "  TOO FEW TO MEAN ANYTHING");
        all = all && enough;
    }
    for (std::size_t i = 0; i < std::size(rights::rules); ++i) {
        if (allowed.count(static_cast<Action>(i)) == 0) {
            fmt::print("action {} was never allowed\n", i);
            all = false;
        }
    }
    return all;
}

int run() {
    const std::uint64_t cases = number_from("TOKEN_AUTH_CASES", 1'000'000);
    const std::uint64_t seed = number_from("TOKEN_AUTH_SEED", std::random_device{}());
    const std::uint64_t worlds = (cases + cases_per_world - 1) / cases_per_world;
    std::map<std::string, std::uint64_t> codes;
    std::map<Action, std::uint64_t> allowed;
    for (std::uint64_t number = 0; number < worlds; ++number) {
        Draw draw{rc::Random(seed + number)};
        const RightsWorld world = draw_rights_world(draw);
        const std::vector<Who> whos = callers_in(world);
        std::vector<rights::Caller> callers;
        callers.reserve(whos.size());
        for (const Who& who : whos) {
            callers.push_back(caller_of(world, who));
        }
        for (std::uint64_t i = 0; i < cases_per_world; ++i) {
            const std::size_t at = draw.below(whos.size());
            const Who& who = whos[at];
            const Ask ask = draw_ask(draw, world, who, callers[at]);
            if (removes_nobody(world, ask)) {
                continue;
            }
            const Expected expected = expected_decision(world, who, ask);
            ++codes[expected.code];
            if (expected.code == "ok" && who.via != Via::tokenctl) {
                ++allowed[ask.action];
            }
            const std::string wrong = difference(world, who, callers[at], ask, expected);
            if (!wrong.empty()) {
                std::cerr << fmt::format(
                    "{}\n{}: {}\n{}\nto repeat it: TOKEN_AUTH_SEED={} TOKEN_AUTH_CASES={}\n", wrong,
                    description(who), description(ask), description(world), seed + number,
                    cases_per_world);
                return 1;
            }
        }
    }
    fmt::print("{} cases in {} worlds, seed {}\n", worlds * cases_per_world, worlds, seed);
    return all_occurred(codes, allowed, worlds * cases_per_world) ||
                   worlds * cases_per_world < 100'000
               ? 0
               : 1;
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
