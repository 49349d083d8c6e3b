// Readers beside a writer at its full rate, without a lock: each token's entry carries the commit
// that wrote it, in its expiry, its name and its own scopes, and so does every other token of the
// same commit. A lookup that is torn, or of an older commit than the last one that had returned
// when it began, fails the test. Readers fall asleep at every step.
//
//   read_beside_writer LOOKUPS [--must-fail]
//
// --must-fail: for the program that leaves out step 4 of reading; it succeeds if that is noticed.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "store_file.hpp"

namespace token_auth::unit {

// What one reader and the writer tell.
struct Shared {
    std::atomic<std::uint64_t> returned;  // the last commit that did
    std::atomic<std::uint64_t> commits;
    std::atomic<std::uint64_t> lookups;
    std::atomic<std::uint64_t> passes;
    std::atomic<std::uint64_t> wrong;
    std::atomic<bool> ends;
};

Shared* shared = nullptr;
thread_local std::minstd_rand sleeper(1);

}  // namespace token_auth::unit

namespace token_auth {

// The reader's own steps: now and then it sleeps for longer than two commits take.
void test_step(int /*step*/) {
    const auto draw = unit::sleeper() % 4096;
    if (draw < 3) {
        usleep(draw == 0 ? 4000 : 700);
    }
}

}  // namespace token_auth

#define TOKEN_AUTH_TEST_STEP(number) test_step(number)
#include "../../src/store/store.cpp"

namespace token_auth::unit {
namespace {

constexpr unsigned tokens = 3000;
constexpr unsigned readers = 3;

std::string name_of(unsigned token, std::uint64_t commit) {
    return "commit-" + std::to_string(commit) + "-of-" + std::to_string(token) +
           std::string(commit % 60, 'x');
}

std::vector<Digest> digests() {
    std::vector<Digest> all(tokens);
    for (unsigned i = 0; i < tokens; ++i) {
        all[i] = digest_of(std::to_string(i));
    }
    return all;
}

void put_token(MDB_txn* txn, const Digest& digest, unsigned token, std::uint64_t commit) {
    const std::string name = name_of(token, commit);
    const std::string scopes = "s:" + std::to_string(commit);
    TokenEntry entry = token_of("id-" + std::to_string(token));
    const std::string id = "id-" + std::to_string(token);
    entry.id = id;
    entry.digest = digest;
    entry.expires = static_cast<std::int64_t>(commit);
    entry.name = name;
    entry.scopes = scopes;
    StoreFile::put(txn, entry);
}

// Each commit writes some tokens at random, one token (number 0) always, and deletes and puts
// others, so that pages are freed and used again.
void write(StoreFile& store, const std::vector<Digest>& all) {
    std::mt19937_64 random(7);
    while (!shared->ends.load()) {
        const std::uint64_t commit = store.meta.generation + 1;
        store.commit([&](MDB_txn* txn) {
            put_token(txn, all[0], 0, commit);
            for (unsigned i = 0; i < 1 + random() % 8; ++i) {
                const unsigned token = 1 + static_cast<unsigned>(random() % (tokens - 1));
                if (random() % 4 == 0) {
                    LmdbFile::remove(txn, token_key(all[token]));
                } else {
                    put_token(txn, all[token], token, commit);
                }
            }
        });
        shared->returned.store(commit);
        shared->commits.fetch_add(1);
    }
}

// Whether an entry is all of one commit.
bool is_whole(const TokenView& token, unsigned number) {
    const auto commit = static_cast<std::uint64_t>(token.expires());
    return token.name() == name_of(number, commit) &&
           token.scopes() == "s:" + std::to_string(commit) &&
           token.id() == "id-" + std::to_string(number);
}

void read_on(const char* directory, const std::vector<Digest>& all, std::uint64_t lookups,
             unsigned seed) {
    std::mt19937_64 random(seed);
    sleeper.seed(seed);
    Store store;
    if (!store.open(directory)) {
        std::fprintf(stderr, "%s\n", store.problem());
        shared->wrong.fetch_add(1);
        return;
    }
    for (std::uint64_t i = 0; i < lookups && shared->wrong.load() == 0; ++i) {
        const auto number = static_cast<unsigned>(random() % tokens);
        const std::uint64_t before = shared->returned.load();
        bool first_whole = true;
        bool whole = true;
        std::uint64_t of_first = 0;
        std::uint64_t generation = 0;
        std::uint64_t passes = 0;
        const Lookup found = store.read([&](Snapshot& snapshot) {
            ++passes;
            generation = snapshot.meta().generation;
            TokenView token;
            // The token that every commit writes must be of the commit that is read.
            Found result = snapshot.token(all[0], token);
            if (result != Found::found) {
                return result == Found::absent ? Found::torn : result;
            }
            of_first = static_cast<std::uint64_t>(token.expires());
            first_whole = is_whole(token, 0);
            result = snapshot.token(all[number], token);
            whole = result != Found::found || is_whole(token, number);
            return result;
        });
        shared->lookups.fetch_add(1, std::memory_order_relaxed);
        shared->passes.fetch_add(passes, std::memory_order_relaxed);
        if (found == Lookup::broken || !first_whole || !whole || of_first != generation ||
            generation < before) {
            shared->wrong.fetch_add(1);
            std::fprintf(stderr,
                         "wrong: lookup %d (%s), whole %d %d, commit %llu, generation %llu, "
                         "returned before %llu\n",
                         static_cast<int>(found), store.problem(), first_whole, whole,
                         static_cast<unsigned long long>(of_first),
                         static_cast<unsigned long long>(generation),
                         static_cast<unsigned long long>(before));
        }
    }
}

int fork_to(const std::function<void()>& work) {
    const int pid = fork();
    if (pid == 0) {
        work();
        std::fflush(nullptr);
        _exit(0);
    }
    return pid;
}

// Stops a process now and then, wherever it is.
void disturb(const std::vector<int>& pids) {
    std::mt19937_64 random(99);
    while (!shared->ends.load()) {
        const int pid = pids[random() % pids.size()];
        kill(pid, SIGSTOP);
        usleep(static_cast<unsigned>(random() % 5000));
        kill(pid, SIGCONT);
        usleep(static_cast<unsigned>(random() % 20000));
    }
}

bool all_ended_well(const std::vector<int>& pids) {
    bool well = true;
    for (const int pid : pids) {
        int status = 0;
        waitpid(pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            std::fprintf(stderr, "a reader ended with status %d\n", status);
            well = false;
        }
    }
    return well;
}

int run(std::uint64_t lookups, bool must_fail) {
    shared = static_cast<Shared*>(
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const std::vector<Digest> all = digests();
    StoreFile store;
    store.commit([&](MDB_txn* txn) {
        for (unsigned i = 0; i < tokens; ++i) {
            put_token(txn, all[i], i, store.meta.generation);
        }
    });
    shared->returned.store(store.meta.generation);
    std::vector<int> pids;
    for (unsigned i = 0; i < readers; ++i) {
        pids.push_back(fork_to([&] { read_on(store.directory(), all, lookups / readers, i + 1); }));
    }
    const int disturber = fork_to([&] { disturb(pids); });
    const int writer = fork_to([&] { write(store, all); });
    bool well = all_ended_well(pids);
    shared->ends.store(true);
    kill(writer, SIGCONT);
    well = all_ended_well({disturber, writer}) && well;
    std::printf("%llu lookups in %llu passes beside %llu commits: %llu wrong\n",
                static_cast<unsigned long long>(shared->lookups.load()),
                static_cast<unsigned long long>(shared->passes.load()),
                static_cast<unsigned long long>(shared->commits.load()),
                static_cast<unsigned long long>(shared->wrong.load()));
    const bool right = shared->wrong.load() == 0 && well;
    return right != must_fail ? 0 : 1;
}

}  // namespace
}  // namespace token_auth::unit

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: read_beside_writer LOOKUPS [--must-fail]\n");
        return 2;
    }
    const bool must_fail = argc > 2 && std::strcmp(argv[2], "--must-fail") == 0;
    return token_auth::unit::run(std::strtoull(argv[1], nullptr, 10), must_fail);
}
