// The cost of a decision inside the process: its parts, the whole, and the floor, which is SHA-256
// of the same bytes and a bare mdb_get() in an open transaction.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <lmdb.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "floor.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "world.hpp"

namespace token_auth::bench {
namespace {

constexpr std::size_t hot_tokens = 1000;
constexpr std::size_t draws_max = 2'000'000;
constexpr std::int64_t now = 1'800'000'000;

[[noreturn]] void die(const std::string& what) {
    fmt::print(stderr, "decision: {}\n", what);
    std::exit(1);
}

Digester& digester() {
    static Digester made;
    static const bool ready = made.init();
    if (!ready) {
        die("libcrypto has no SHA-256");
    }
    return made;
}

enum class Who { organization, user, unknown };

// Tokens in the order of presentation, all in one piece of memory, so that each measurement pays
// the same for reading them.
struct Parade {
    std::string text;  // "Bearer …", again and again
    std::vector<std::uint32_t> at;
    std::vector<Digest> digests;
    std::vector<std::string> organizations;  // of user tokens

    std::string_view field(std::size_t i) const {
        return std::string_view(text).substr(at[i], at[i + 1] - at[i]);
    }
    std::string_view token(std::size_t i) const { return field(i).substr(7); }
    std::size_t size() const { return digests.size(); }
};

std::uint64_t of_kind(std::uint64_t number, Who who, std::uint64_t tokens) {
    switch (who) {
        case Who::organization:
            return is_user(number) ? number - 1 : number;
        case Who::user:
            return number / 4 * 4 + 3;
        case Who::unknown:
            break;
    }
    return number + tokens;
}

Parade present(std::uint64_t tokens, Who who, bool hot) {
    std::mt19937_64 random(tokens + (hot ? 1 : 0));
    std::vector<std::uint64_t> numbers(hot ? hot_tokens
                                           : std::min<std::size_t>(draws_max, 4 * tokens));
    for (std::uint64_t& number : numbers) {
        number = of_kind(random() % tokens, who, tokens);
    }
    Parade out;
    for (const std::uint64_t number : numbers) {
        const std::string token = token_text(number);
        out.at.push_back(static_cast<std::uint32_t>(out.text.size()));
        out.text += "Bearer " + token;
        Digest digest;
        digester().plain(token, digest);
        out.digests.push_back(digest);
        if (who == Who::user) {
            out.organizations.push_back(organization_of(number));
        }
    }
    out.at.push_back(static_cast<std::uint32_t>(out.text.size()));
    return out;
}

// A store of that many tokens, opened both ways, and the tokens to present.
class World {
  public:
    World(const std::string& directory, std::uint64_t tokens) : tokens_(tokens) {
        const std::string path = fmt::format("{}/{}", directory, tokens);
        if (!store_.open(path.c_str())) {
            die(fmt::format("{}: {}", path, store_.problem()));
        }
        floor_.open(path);
    }

    Store& store() { return store_; }
    Floor& floor() { return floor_; }

    const Parade& presented(Who who, bool hot) {
        auto& made = presented_[{static_cast<int>(who), hot}];
        if (!made) {
            made = std::make_unique<Parade>(present(tokens_, who, hot));
            touch(*made);
        }
        return *made;
    }

  private:
    // Map every page both ways before measuring.
    void touch(const Parade& made) {
        for (std::size_t i = 0; i < made.size(); ++i) {
            Claims claims;
            store_.read([&](Snapshot& snapshot) {
                return resolve(
                    snapshot, made.digests[i], OrganizationMode::required,
                    made.organizations.empty() ? std::string_view{} : made.organizations[i],
                    claims);
            });
            floor_.get(made.digests[i]);
        }
    }

    std::uint64_t tokens_;
    Store store_;
    Floor floor_;
    std::map<std::pair<int, bool>, std::unique_ptr<Parade>> presented_;
};

// Walks around the presented tokens.
class Turn {
  public:
    explicit Turn(std::size_t size) : size_(size) {}
    std::size_t next() {
        const std::size_t at = at_;
        at_ = at + 1 == size_ ? 0 : at + 1;
        return at;
    }

  private:
    std::size_t size_;
    std::size_t at_ = 0;
};

constexpr std::string_view scope = "agents:read";

Requirements scope_required() {
    Requirements out;
    out.scopes = {&scope, 1};
    return out;
}

void credential(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            parse_authorization(presented.field(turn.next()), scheme_bearer | scheme_token));
    }
}

void digest(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    Digest out;
    for (auto _ : state) {
        digester().plain(presented.token(turn.next()), out);
        benchmark::DoNotOptimize(out);
    }
}

// A snapshot, and in it all records that bear on the token.
void lookup(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    for (auto _ : state) {
        Claims claims;
        const Digest& digest = presented.digests[turn.next()];
        benchmark::DoNotOptimize(world.store().read([&](Snapshot& snapshot) {
            return resolve(snapshot, digest, OrganizationMode::required, {}, claims);
        }));
        benchmark::DoNotOptimize(claims);
    }
}

void snapshot_only(benchmark::State& state, World& world, bool /*hot*/) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(world.store().read([](Snapshot&) { return Found::absent; }));
    }
}

void decide_only(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Claims claims;
    world.store().read([&](Snapshot& snapshot) {
        return resolve(snapshot, presented.digests[0], OrganizationMode::required, {}, claims);
    });
    const Requirements requirements = scope_required();
    const Words* unmet = nullptr;
    for (auto _ : state) {
        benchmark::DoNotOptimize(claims);
        benchmark::DoNotOptimize(decide(claims, requirements, {}, now, Address{}, unmet));
    }
}

void whole(benchmark::State& state, World& world, bool hot, Who who) {
    const Parade& presented = world.presented(who, hot);
    const Code expected = who == Who::unknown ? Code::token_unknown : Code::ok;
    const Requirements requirements = scope_required();
    const Words* unmet = nullptr;
    Turn turn(presented.size());
    for (auto _ : state) {
        const std::size_t i = turn.next();
        const Credential found =
            parse_authorization(presented.field(i), scheme_bearer | scheme_token);
        const std::string_view organization =
            who == Who::user ? std::string_view(presented.organizations[i]) : std::string_view{};
        Identify identify(digester(), found.token, requirements.organization_mode, organization);
        world.store().read(identify);
        const Code code =
            decide(identify.claims, requirements, organization, now, Address{}, unmet);
        if (code != expected) {
            die("a token was not decided for as it should be");
        }
    }
}

void floor_digest(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    Digest out;
    for (auto _ : state) {
        Floor::digest(presented.token(turn.next()), out);
        benchmark::DoNotOptimize(out);
    }
}

void floor_get(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    for (auto _ : state) {
        benchmark::DoNotOptimize(world.floor().get(presented.digests[turn.next()]));
    }
}

void floor_both(benchmark::State& state, World& world, bool hot) {
    const Parade& presented = world.presented(Who::organization, hot);
    Turn turn(presented.size());
    Digest out;
    for (auto _ : state) {
        Floor::digest(presented.token(turn.next()), out);
        if (!world.floor().get(out)) {
            die("the floor does not find a token");
        }
    }
}

using Measurement = void (*)(benchmark::State&, World&, bool);

const std::pair<const char*, Measurement> measurements[] = {
    {"credential", credential},
    {"digest", digest},
    {"lookup", lookup},
    {"snapshot", snapshot_only},
    {"decide", decide_only},
    {"whole",
     [](auto& state, World& world, bool hot) { whole(state, world, hot, Who::organization); }},
    {"whole-user",
     [](auto& state, World& world, bool hot) { whole(state, world, hot, Who::user); }},
    {"whole-unknown",
     [](auto& state, World& world, bool hot) { whole(state, world, hot, Who::unknown); }},
    {"floor-digest", floor_digest},
    {"floor-get", floor_get},
    {"floor", floor_both},
};

}  // namespace
}  // namespace token_auth::bench

// decision DIRECTORY TOKENS… [--benchmark_…]: the stores are DIRECTORY/TOKENS.
int main(int argc, char** argv) {
    using namespace token_auth::bench;
    benchmark::Initialize(&argc, argv);
    if (argc < 3) {
        die("usage: decision DIRECTORY TOKENS… [--benchmark_…]");
    }
    std::vector<std::unique_ptr<World>> worlds;
    for (int i = 2; i < argc; ++i) {
        worlds.push_back(std::make_unique<World>(argv[1], std::strtoull(argv[i], nullptr, 10)));
        World* world = worlds.back().get();
        for (const bool hot : {true, false}) {
            for (const auto& [name, measure] : measurements) {
                benchmark::RegisterBenchmark(
                    fmt::format("{}/{}/{}", name, argv[i], hot ? "hot" : "random").c_str(),
                    [measure = measure, world, hot](benchmark::State& state) {
                        measure(state, *world, hot);
                    });
            }
        }
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
