// The cost for a worker to start with a store: the time to open it, its private memory, and the
// cost of lookups before any page of the store is mapped.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "token_auth/claims.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "world.hpp"

namespace token_auth::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int openings = 101;
constexpr std::size_t lookups = 1000;

[[noreturn]] void die(const std::string& what) {
    fmt::print(stderr, "opening: {}\n", what);
    std::exit(1);
}

double nanoseconds_since(Clock::time_point begun) {
    return std::chrono::duration<double, std::nano>(Clock::now() - begun).count();
}

// KiB of private memory of this process.
long private_memory() {
    std::ifstream in("/proc/self/status");
    for (std::string word; in >> word;) {
        if (word == "RssAnon:") {
            long kib = 0;
            in >> kib;
            return kib;
        }
    }
    return -1;
}

std::vector<Digest> digests_of(std::uint64_t tokens) {
    Digester digester;
    if (!digester.init()) {
        die("libcrypto has no SHA-256");
    }
    std::mt19937_64 random(tokens);
    std::vector<Digest> out(lookups);
    for (Digest& digest : out) {
        digester.plain(token_text(random() % tokens), digest);
    }
    return out;
}

// Nanoseconds for each of them.
double look_up(Store& store, const std::vector<Digest>& digests) {
    const auto begun = Clock::now();
    for (const Digest& digest : digests) {
        Snapshot snapshot(store);
        Claims claims;
        if (resolve(snapshot, digest, OrganizationMode::off, {}, claims) != Lookup::found) {
            die("a token is not found");
        }
    }
    return nanoseconds_since(begun) / static_cast<double>(digests.size());
}

void measure(const std::string& path, std::uint64_t tokens) {
    const std::vector<Digest> digests = digests_of(tokens);
    Store store;
    std::vector<double> times;
    const long before = private_memory();
    for (int i = 0; i < openings; ++i) {
        store.close();
        const auto begun = Clock::now();
        if (!store.open(path.c_str())) {
            die(path + ": " + store.problem());
        }
        times.push_back(nanoseconds_since(begun));
    }
    std::nth_element(times.begin(), times.begin() + openings / 2, times.end());
    const double first = look_up(store, digests);
    const double again = look_up(store, digests);
    fmt::print(R"({{"open_us": {:.1f}, "private_kib": {}, "first_ns": {:.0f}, "again_ns": {:.0f}}})"
               "\n",
               times[openings / 2] / 1000, private_memory() - before, first, again);
}

}  // namespace
}  // namespace token_auth::bench

// opening DIRECTORY TOKENS: the store is DIRECTORY/TOKENS. Prints a line of JSON.
int main(int argc, char** argv) {
    if (argc != 3) {
        token_auth::bench::die("usage: opening DIRECTORY TOKENS");
    }
    token_auth::bench::measure(fmt::format("{}/{}", argv[1], argv[2]),
                               std::strtoull(argv[2], nullptr, 10));
    return 0;
}
