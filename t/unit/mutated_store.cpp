// Writes stores of random worlds with some damaged records, for t/faults/records_damaged.t, and
// prints the right answers to requests for their tokens:
//
//   mutated_store DIRECTORY WORLDS SEED
//
// writes DIRECTORY/0, DIRECTORY/1, … and prints a line for each request: the store, the token, the
// request's organization ("-" for none), the required scope ("-" for none), the code. The code is
// the core's answer in this process, checked against the oracle. The key is `pepper` of
// world_store.hpp.
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "world_store.hpp"

namespace token_auth::unit {
namespace {

const std::vector<std::string> asked_organizations = {"", "acme", "Acme", "globex", "initech"};
const std::vector<std::string> asked_scopes = {"", "", "agents:read", "agents:write", "calls:read"};

Code code_of(Store& store, Digester& digester, const Request& request) {
    const Asked asked(request);
    Snapshot snapshot(store);
    Claims claims;
    KeyId missing = no_key;
    const Identified identified =
        snapshot.ok()
            ? identify(snapshot, digester, request.token, asked.requirements().organization_mode,
                       asked.requirements().organization, claims, missing)
            : Identified::broken;
    return identified == Identified::found || identified == Identified::not_found
               ? decide(claims, asked.requirements(), request.now, asked.client())
               : Code::store_unavailable;
}

void write_world(const std::string& path, Digester& digester, Draw& draw, const char* name) {
    const World world = draw_world(draw);
    std::vector<Entry> entries = entries_of(world, digester, 1);
    mutate(draw, entries, 40);
    write_store(path, entries);
    std::size_t damaged = 0;
    const World written = world_of(entries, world, digester, damaged);
    Store store;
    if (!store.open(path.c_str())) {
        throw std::runtime_error(store.problem());
    }
    for (const auto& [token, model] : world.tokens) {
        Request request;
        request.token = token;
        request.organization = draw.of(asked_organizations);
        const std::string scope = draw.of(asked_scopes);
        if (!scope.empty()) {
            request.scopes.push_back(scope);
        }
        request.now = std::time(nullptr);
        request.client = "127.0.0.1";
        const Code code = code_of(store, digester, request);
        const std::string expected = expected_code(written, request);
        if (code == Code::ok ? expected != "ok"
                             : damaged == 0 && std::string(answer(code).name) != expected) {
            throw std::runtime_error(fmt::format("the core says {}, not {}, to {}",
                                                 answer(code).name, expected,
                                                 description(world, token)));
        }
        fmt::print("{} {} {} {} {}\n", name, token,
                   request.organization.empty() ? "-" : request.organization,
                   scope.empty() ? "-" : scope, answer(code).name);
    }
}

int run(const std::string& directory, unsigned worlds, std::uint64_t seed) {
    Digester digester;
    if (!digester.init() || !digester.add_key(pepper)) {
        throw std::runtime_error("libcrypto gives no digester");
    }
    for (unsigned number = 0; number < worlds; ++number) {
        Draw draw(rc::Random(seed + number));
        const std::string name = std::to_string(number);
        write_world(fmt::format("{}/{}", directory, name), digester, draw, name.c_str());
    }
    return 0;
}

}  // namespace
}  // namespace token_auth::unit

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: mutated_store DIRECTORY WORLDS SEED\n";
        return 2;
    }
    try {
        return token_auth::unit::run(argv[1], static_cast<unsigned>(std::atoi(argv[2])),
                                     std::strtoull(argv[3], nullptr, 10));
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
