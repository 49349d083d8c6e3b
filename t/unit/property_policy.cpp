// The decision table: worlds drawn at random are written into a real store, and requests against
// them are decided twice, by the core and by the oracle.
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

#include "oracle.hpp"
#include "scratch.hpp"
#include "token_auth/address.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/store.hpp"
#include "token_auth/text.hpp"
#include "worlds.hpp"

namespace token_auth::unit {
namespace {

constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";
constexpr std::uint64_t cases_per_world = 4000;

std::string joined(const std::set<std::string>& words) {
    std::string all;
    for (const std::string& word : words) {
        all += (all.empty() ? "" : " ") + word;
    }
    return all;
}

Kind kind_of(const std::string& name) {
    Kind kind = kind_organization;
    if (!kind_of_name(name, kind)) {
        throw std::runtime_error("kind_of_name() refused " + name);
    }
    return kind;
}

Digest digest_under(Digester& digester, const std::string& presented, const ModelToken& token) {
    Digest digest;
    if (!(token.key.empty() ? digester.plain(presented, digest)
                            : digester.keyed(0, presented, digest))) {
        throw std::runtime_error("libcrypto gives no digest");
    }
    return digest;
}

std::vector<Entry> entries_of(const World& world, Digester& digester, std::uint64_t generation) {
    std::vector<Entry> entries = {meta_entry(generation, {{no_key, 1}, {digester.key_id(0), 1}})};
    for (const auto& [id, disabled] : world.users) {
        entries.push_back(user_entry(id, disabled));
    }
    for (const auto& [id, suspended] : world.organizations) {
        entries.push_back(organization_entry(id, suspended));
    }
    for (const auto& [pair, role] : world.memberships) {
        entries.push_back(membership_entry(pair.first, pair.second, role));
    }
    for (const auto& [id, scopes] : world.roles) {
        entries.push_back(role_entry(id, joined(scopes)));
    }
    for (const auto& [presented, token] : world.tokens) {
        TokenRecord record;
        std::string allow;
        for (const std::string& text : token.allow) {
            Cidr block;
            if (!parse_cidr(text, block)) {
                throw std::runtime_error("parse_cidr() refused " + text);
            }
            allow.append(reinterpret_cast<const char*>(block.data()), block.size());
        }
        const std::string scopes = joined(token.scopes);
        record.kind = kind_of(token.kind);
        record.revoked = token.revoked;
        record.subject_disabled = token.user_disabled;
        record.key_id = token.key.empty() ? no_key : digester.key_id(0);
        record.not_before = token.not_before;
        record.expires = token.expires;
        record.id = token.id;
        record.subject = token.user;
        record.organization = token.organization;
        record.group = token.group;
        record.role = token.role;
        record.name = "a token";
        record.scopes = scopes;
        record.allow = allow;
        entries.push_back(token_entry(digest_under(digester, presented, token), record));
    }
    return entries;
}

// What the core makes of a request.
struct Outcome {
    std::string_view code;
    std::string scopes;
    std::string failure;  // where something other than the answer is wrong
};

class Subject {
  public:
    explicit Subject(const std::string& path) {
        if (!digester_.init() || !digester_.add_key(pepper)) {
            throw std::runtime_error("libcrypto gives no digester");
        }
        path_ = path;
    }

    void take(const World& world) {
        WriteOptions options;
        options.replace = true;
        write_store(path_, entries_of(world, digester_, ++generation_), options);
        if (!store_.is_open() && !store_.open(path_.c_str())) {
            throw std::runtime_error(std::string("open the store: ") + store_.problem());
        }
    }

    Outcome outcome(const World& world, const Request& request);

  private:
    std::string path_;
    Digester digester_;
    Store store_;
    std::uint64_t generation_ = 0;
};

// Room for what effective_scopes_size() promises, and a guard behind it.
std::string scopes_of(const Claims& claims, std::string& failure) {
    constexpr char guard = '\x7f';
    const std::size_t room = effective_scopes_size(claims);
    const std::unique_ptr<char[]> buffer(new char[room + 1]);
    buffer[room] = guard;
    const std::size_t used = effective_scopes(claims, buffer.get());
    if (used > room || buffer[room] != guard) {
        failure = fmt::format("effective_scopes() wrote {} bytes into {}", used, room);
        return {};
    }
    return {buffer.get(), used};
}

Outcome Subject::outcome(const World& world, const Request& request) {
    Outcome outcome;
    Snapshot snapshot(store_);
    if (!snapshot.ok()) {
        outcome.failure = std::string("no snapshot: ") + store_.problem();
        return outcome;
    }
    const std::vector<std::string_view> groups(request.groups.begin(), request.groups.end());
    const std::vector<std::string_view> roles(request.roles.begin(), request.roles.end());
    const std::vector<std::string_view> scopes(request.scopes.begin(), request.scopes.end());
    const std::vector<std::string_view> scopes_any(request.scopes_any.begin(),
                                                   request.scopes_any.end());
    Requirements requirements;
    requirements.kinds = 0;
    for (const std::string& name : request.kinds) {
        requirements.kinds |= kind_of(name);
    }
    requirements.organization_mode = request.mode == "required"   ? OrganizationMode::required
                                     : request.mode == "optional" ? OrganizationMode::optional
                                                                  : OrganizationMode::off;
    requirements.organization = request.organization;
    requirements.groups = {groups.data(), groups.size()};
    requirements.roles = {roles.data(), roles.size()};
    requirements.scopes = {scopes.data(), scopes.size()};
    requirements.scopes_any = {scopes_any.data(), scopes_any.size()};
    Address client;
    if (!request.client.empty() && !parse_address(request.client, client)) {
        outcome.failure = "parse_address() refused the client";
        return outcome;
    }

    Claims claims;
    KeyId missing = no_key;
    const Identified identified =
        identify(snapshot, digester_, request.token, requirements.organization_mode,
                 request.organization, claims, missing);
    const Standing standing = standing_of(world, request);
    if (identified != (standing.known ? Identified::found : Identified::not_found)) {
        outcome.failure = fmt::format("identify() gave {}", static_cast<unsigned>(identified));
        return outcome;
    }
    if (standing.known) {
        // By the digest alone, the same must come out.
        Claims again;
        const Lookup found =
            resolve(snapshot, digest_under(digester_, request.token, standing.token),
                    requirements.organization_mode, request.organization, again);
        if (found != Lookup::found || decide(again, requirements, request.now, client) !=
                                          decide(claims, requirements, request.now, client)) {
            outcome.failure = "resolve() and identify() differ";
            return outcome;
        }
        if (claims.organization != standing.organization || claims.member != standing.member ||
            claims.role != standing.role || claims.token.id != standing.token.id) {
            outcome.failure = fmt::format(
                "claims: organization {:?}, member {}, role {:?}, not organization {:?}, member "
                "{}, role {:?}",
                claims.organization, claims.member, claims.role, standing.organization,
                standing.member, standing.role);
            return outcome;
        }
        outcome.scopes = scopes_of(claims, outcome.failure);
        for (const std::string& scope : all_scopes) {
            const bool expected = expected_grant(world, standing, scope);
            if (grants(claims, scope) != expected) {
                outcome.failure = fmt::format("grants({:?}) is not {}", scope, expected);
            }
            // The list must say the same as the rules it was made by.
            if (any_covers(outcome.scopes, scope) != expected) {
                outcome.failure = fmt::format("effective scopes {:?}: {:?} is not {}",
                                              outcome.scopes, scope, expected);
            }
        }
    }
    outcome.code = answer(decide(claims, requirements, request.now, client)).name;
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

// Every answer that is decided upon must have been given often enough to mean something.
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

    const Directory directory;
    Subject subject(directory / "db");
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
    // Fewer worlds than this may lack what an answer needs.
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
