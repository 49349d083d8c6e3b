// The decision table: writes random worlds into a real store, and decides requests twice, by the
// core and by the oracle.
//
// TOKEN_AUTH_CASES sets the number of cases, TOKEN_AUTH_SEED repeats a run.
#include <fmt/format.h>
#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "token_auth/text.hpp"
#include "world_store.hpp"

namespace token_auth::unit {
namespace {

constexpr std::uint64_t cases_per_world = 4000;

// The core's decision on a request.
struct Outcome {
    std::string_view code;
    std::string scopes;
    std::string failure;  // if something other than the answer is wrong
};

class Subject {
  public:
    Subject() {
        if (!digester_.init() || !digester_.add_key(pepper)) {
            throw std::runtime_error("libcrypto gives no digester");
        }
    }

    void take(const World& world) {
        file_.meta.generation += 1;
        file_.file().write([&](MDB_txn* txn) {
            LmdbFile::clear(txn);
            put_world(txn, world, digester_, file_.meta);
            StoreFile::put_meta(txn, file_.meta);
        });
        if (!store_.is_open() && !store_.open(file_.directory())) {
            throw std::runtime_error(std::string("open the store: ") + store_.problem());
        }
    }

    Outcome outcome(const World& world, const Request& request);

  private:
    StoreFile file_;
    Digester digester_;
    Store store_;
};

// Room for what effective_scopes_size() promises, and a guard behind it.
std::string scopes_of(const ScopeSets& sets, std::string& failure) {
    constexpr char guard = '\x7f';
    const std::size_t room = effective_scopes_size(sets);
    const std::unique_ptr<char[]> buffer(new char[room + 1]);
    buffer[room] = guard;
    const std::size_t used = effective_scopes(sets, buffer.get());
    if (used > room || buffer[room] != guard) {
        failure = fmt::format("effective_scopes() wrote {} bytes into {}", used, room);
        return {};
    }
    return {buffer.get(), used};
}

Outcome Subject::outcome(const World& world, const Request& request) {
    Outcome outcome;
    const Asked asked(request);
    const Requirements& requirements = asked.requirements();
    const Address& client = asked.client();
    Identify identify(digester_, request.token, requirements.organization_mode,
                      request.organization);
    const Lookup identified = store_.read(identify);
    const Claims& claims = identify.claims;
    const Standing standing = standing_of(world, request);
    if (identified != (standing.known ? Lookup::found : Lookup::not_found)) {
        outcome.failure = fmt::format("Identify gave {} ({})", static_cast<unsigned>(identified),
                                      store_.problem());
        return outcome;
    }
    if (standing.known) {
        if (claims.organization != standing.organization || claims.member != standing.member ||
            claims.role != standing.role || claims.token.id() != standing.token.id) {
            outcome.failure = fmt::format(
                "claims: organization {:?}, member {}, role {:?}, not organization {:?}, member "
                "{}, role {:?}",
                claims.organization, claims.member, claims.role, standing.organization,
                standing.member, standing.role);
            return outcome;
        }
        const ScopeSets sets = scope_sets(claims);
        outcome.scopes = scopes_of(sets, outcome.failure);
        for (const std::string& scope : all_scopes) {
            const bool expected = expected_grant(world, standing, scope);
            if (grants(sets, scope) != expected) {
                outcome.failure = fmt::format("grants({:?}) is not {}", scope, expected);
            }
            // The list must agree with the rules behind it.
            if (any_covers(outcome.scopes, scope) != expected) {
                outcome.failure = fmt::format("effective scopes {:?}: {:?} is not {}",
                                              outcome.scopes, scope, expected);
            }
        }
    }
    const Words* unmet = nullptr;
    outcome.code =
        answer(decide(claims, requirements, request.organization, request.now, client, unmet)).name;
    return outcome;
}

rc::Gen<Request> request_of(const World& world, const std::vector<std::string>& tokens) {
    return [&world, &tokens](const rc::Random& random, int) {
        Draw draw(random);
        return rc::shrinkable::shrinkRecur(
            draw_request(draw, world, tokens),
            [](const Request& request) { return rc::seq::fromContainer(simpler(request)); });
    };
}

// Every answer must have occurred often enough to mean something.
bool all_occurred(const std::map<std::string, std::uint64_t>& seen, std::uint64_t cases) {
    bool all = true;
    for (std::size_t i = 0; i < code_count; ++i) {
        const Code code = static_cast<Code>(i);
        if (code != Code::ok && code < Code::token_unknown) {
            continue;
        }
        const auto found = seen.find(std::string(answer(code).name));
        const std::uint64_t count = found == seen.end() ? 0 : found->second;
        const bool enough = count >= cases / 1000;
        fmt::print("{:>9}  {}{}\n", count, answer(code).name,
                   enough ? "" : "  TOO FEW TO MEAN ANYTHING");
        all = all && enough;
    }
    return all;
}

int run() {
    const std::uint64_t cases = number_from("TOKEN_AUTH_CASES", 1'000'000);
    const std::uint64_t seed = number_from("TOKEN_AUTH_SEED", std::random_device{}());
    const std::uint64_t worlds = (cases + cases_per_world - 1) / cases_per_world;
    const std::string repeat =
        fmt::format("to repeat it: TOKEN_AUTH_SEED={} TOKEN_AUTH_CASES={}", seed, cases);

    Subject subject;
    std::map<std::string, std::uint64_t> seen;
    for (std::uint64_t number = 0; number < worlds; ++number) {
        Draw draw(rc::Random(seed + number));
        const World world = draw_world(draw);
        std::vector<std::string> tokens;
        for (const auto& [presented, token] : world.tokens) {
            tokens.push_back(presented);
        }
        subject.take(world);

        rc::detail::TestListenerAdapter listener;
        const std::unordered_map<std::string, rc::detail::Reproduce> nothing_to_repeat;
        rc::detail::TestParams parameters;
        parameters.seed = seed + number;
        parameters.maxSuccess = static_cast<int>(cases_per_world);
        const auto result = rc::detail::checkTestable(
            [&] {
                const Request request = *request_of(world, tokens);
                const std::string expected = expected_code(world, request);
                const Outcome outcome = subject.outcome(world, request);
                ++seen[expected];
                if (!outcome.failure.empty()) {
                    RC_FAIL(outcome.failure + "\n" + description(world, request.token));
                }
                if (outcome.code != expected) {
                    RC_FAIL(fmt::format("answered {}, not {}\n{}", outcome.code, expected,
                                        description(world, request.token)));
                }
                const std::string scopes = expected_scopes(world, standing_of(world, request));
                if (outcome.scopes != scopes) {
                    RC_FAIL(fmt::format("effective scopes {:?}, not {:?}\n{}", outcome.scopes,
                                        scopes, description(world, request.token)));
                }
            },
            rc::detail::TestMetadata{}, parameters, listener, nothing_to_repeat);
        if (!result.is<rc::detail::SuccessResult>()) {
            rc::detail::printResultMessage(result, std::cerr);
            std::cerr << "\nworld " << number << "; " << repeat << "\n";
            return 1;
        }
    }
    fmt::print("{} cases in {} worlds, seed {}\n", worlds * cases_per_world, worlds, seed);
    // A smaller number of worlds may miss some answers.
    const bool telling = worlds * cases_per_world >= 100'000;
    if (!all_occurred(seen, worlds * cases_per_world) && telling) {
        std::cerr << repeat << "\n";
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
