// Writes a store of the benchmarks' world (world.hpp) with LMDB and the core's encoders, and lists
// of tokens to present. The records equal those from a registry, but this is faster.
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store_writer/file.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/record.hpp"
#include "world.hpp"

namespace token_auth::bench {
namespace {

[[noreturn]] void die(const std::string& what) {
    fmt::print(stderr, "make_store: {}\n", what);
    std::exit(1);
}

void require(int error, const char* doing) {
    if (error != MDB_SUCCESS) {
        die(fmt::format("cannot {}: {}", doing, mdb_strerror(error)));
    }
}

struct Numbered {
    Digest digest;
    std::uint32_t number;
};

std::vector<Numbered> sorted_digests(std::uint32_t tokens) {
    std::vector<Numbered> all(tokens);
    const auto fill = [&](std::uint32_t from, std::uint32_t to) {
        Digester digester;
        if (!digester.init()) {
            die("libcrypto has no SHA-256");
        }
        for (std::uint32_t i = from; i < to; ++i) {
            all[i].number = i;
            digester.plain(token_text(i), all[i].digest);
        }
        std::sort(all.begin() + from, all.begin() + to,
                  [](const Numbered& a, const Numbered& b) { return a.digest < b.digest; });
    };
    std::thread other(fill, 0, tokens / 2);
    fill(tokens / 2, tokens);
    other.join();
    std::inplace_merge(all.begin(), all.begin() + tokens / 2, all.end(),
                       [](const Numbered& a, const Numbered& b) { return a.digest < b.digest; });
    return all;
}

// Appends records in the order of their keys.
class Appender {
  public:
    Appender(const std::string& directory, std::size_t map_size) {
        std::filesystem::create_directories(directory);
        require(mdb_env_create(&environment_), "create an environment");
        require(mdb_env_set_mapsize(environment_, map_size), "size the map");
        require(mdb_env_open(environment_, directory.c_str(), MDB_NOSYNC | MDB_NOLOCK, 0644),
                "open the store");
        begin();
    }

    void put(std::uint64_t key, std::size_t size) {
        if (size == 0) {
            die("a record of the benchmarks' world does not fit");
        }
        MDB_val name{sizeof(key), &key};
        MDB_val value{size, value_.data()};
        require(mdb_put(transaction_, 1, &name, &value, MDB_APPEND), "write");
        if (++pending_ == 500'000) {
            commit();
            begin();
        }
    }

    char* buffer() { return value_.data(); }
    std::size_t room() const { return value_.size(); }
    std::uint64_t transaction() const { return mdb_txn_id(transaction_); }

    void finish() {
        commit();
        require(mdb_env_sync(environment_, 1), "write to disk");
        mdb_env_close(environment_);
    }

  private:
    void begin() {
        require(mdb_txn_begin(environment_, nullptr, 0, &transaction_), "begin");
        MDB_dbi dbi = 0;
        require(mdb_dbi_open(transaction_, nullptr, MDB_INTEGERKEY | MDB_CREATE, &dbi),
                "open the database");
        pending_ = 0;
    }
    void commit() { require(mdb_txn_commit(transaction_), "commit"); }

    MDB_env* environment_ = nullptr;
    MDB_txn* transaction_ = nullptr;
    std::size_t pending_ = 0;
    std::array<char, token_entry_max> value_{};
};

void write_store(const std::string& directory, std::uint32_t tokens) {
    Appender store(directory, (std::size_t{64} << 20) + std::size_t{tokens} * 512);
    for (const Numbered& each : sorted_digests(tokens)) {
        const WorldToken token(each.number);
        TokenEntry entry = token.entry();
        entry.digest = each.digest;
        store.put(token_key(each.digest), encode(entry, false, store.buffer(), store.room()));
    }
    for (std::uint16_t i = 0; i < role_count; ++i) {
        std::string scopes = role_scopes(i);
        std::size_t size = 0;
        canonical_scopes(std::string(scopes), scopes.data(), size);
        const std::string name = role_name(i);
        store.put(role_key(i), encode(RoleEntry{true, name, {scopes.data(), size}}, store.buffer(),
                                      store.room()));
    }
    const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
    StoreMeta meta;
    meta.transaction = store.transaction();
    meta.generation = static_cast<std::uint64_t>(now);
    meta.synced = now;
    meta.created = now;
    meta.roles_generation = meta.generation;
    meta.counts.tokens = tokens;
    meta.counts.roles = role_count;
    meta.keys[0] = {no_key, tokens};
    meta.source = "benchmark";
    store.put(meta_record_key, encode(meta, store.buffer(), store.room()));
    store.finish();
    // As tokensync does behind a load.
    const std::string file = directory + "/data.mdb";
    store_writer::read_in_large_pieces(file, std::filesystem::file_size(file));
    // Any account's workers may read it: it opens nothing.
    for (const auto& [name, mode] : {std::pair{"", 0755}, {"/data.mdb", 0644}}) {
        chmod((directory + name).c_str(), static_cast<mode_t>(mode));
    }
}

// Lines of one length each, so that a reader finds line n without reading the others.
void write_list(const std::string& file, std::uint64_t count, std::uint64_t first, bool users) {
    std::ofstream out(file, std::ios::binary);
    for (std::uint64_t number = first; count > 0; ++number) {
        if (is_user(number) != users) {
            continue;
        }
        out << token_text(number);
        if (users) {
            out << ' ' << organization_of(number);
        }
        out << '\n';
        --count;
    }
    out.close();
    if (!out) {
        die(fmt::format("cannot write {}", file));
    }
}

}  // namespace
}  // namespace token_auth::bench

int main(int argc, char** argv) {
    using namespace token_auth::bench;
    std::uint32_t tokens = 0;
    std::string directory;
    std::string list;
    std::uint64_t lines = 0;
    std::uint64_t first = 0;
    bool users = false;
    CLI::App app("Writes a benchmark's store, or a list of its tokens.");
    app.add_option("--tokens", tokens, "how many tokens the store holds")
        ->check(CLI::Range(4U, 1U << 30));
    app.add_option("--db", directory, "the store's directory");
    app.add_option("--list", list, "a file for tokens, one a line");
    app.add_option("--lines", lines, "how many of them");
    app.add_option("--first", first, "the number of the first one");
    app.add_flag("--users", users,
                 "user tokens, with their organizations, rather than organization tokens");
    CLI11_PARSE(app, argc, argv);
    if (!directory.empty()) {
        write_store(directory, tokens);
    }
    if (!list.empty()) {
        write_list(list, lines, first, users);
    }
    return 0;
}
