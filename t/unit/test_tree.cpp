// Tree: what it finds is what mdb_get() finds, whatever the keys and however they got there; and
// what is damaged it leaves to mdb_get().
#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/tree.hpp"

namespace token_auth::unit {
namespace {

constexpr std::size_t map_size = std::size_t{64} << 20;

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
    std::string out(size, '\0');
    for (char& byte : out) {
        byte = static_cast<char>(random());
    }
    return out;
}

// Open for reading, with a snapshot, and a tree of it.
class View {
  public:
    explicit View(const std::string& path) {
        require(mdb_env_create(&env_));
        require(mdb_env_open(env_, path.c_str(), MDB_RDONLY, 0644));
        require(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_));
        require(mdb_dbi_open(txn_, nullptr, 0, &dbi_));
        MDB_stat statistics;
        require(mdb_env_stat(env_, &statistics));
        page_size = statistics.ms_psize;
    }
    ~View() {
        mdb_txn_abort(txn_);
        mdb_env_close(env_);
    }
    View(const View&) = delete;
    View& operator=(const View&) = delete;

    std::size_t number() { return mdb_txn_id(txn_); }

    bool get(std::string_view key, std::string_view& value) {
        MDB_val name{key.size(), const_cast<char*>(key.data())};
        MDB_val data;
        const int error = mdb_get(txn_, dbi_, &name, &data);
        if (error == MDB_NOTFOUND) {
            return false;
        }
        require(error);
        value = {static_cast<const char*>(data.mv_data), data.mv_size};
        return true;
    }

    std::size_t page_size = 0;

  private:
    static void require(int error) {
        if (error != MDB_SUCCESS) {
            throw std::runtime_error(mdb_strerror(error));
        }
    }

    MDB_env* env_ = nullptr;
    MDB_txn* txn_ = nullptr;
    MDB_dbi dbi_ = 0;
};

void settle(View& view, Tree& tree, std::string_view key) {
    std::string_view value;
    if (!view.get(key, value)) {
        throw std::runtime_error("a key that was written is not there");
    }
    tree.settle(view.number(), view.page_size, map_size, key, value);
}

// Every key asked for is answered as LMDB answers; the number of those found.
std::size_t same_as_lmdb(std::string_view what, const std::string& path, std::string_view one,
                         const std::vector<std::string>& asked) {
    View view(path);
    Tree tree;
    settle(view, tree, one);
    check(tree.is_settled(), "{}: not settled", what);
    std::size_t count = 0;
    for (const std::string& key : asked) {
        std::string_view expected;
        std::string_view value;
        const bool there = view.get(key, expected);
        const Tree::Found found = tree.find(key, value);
        check(found == (there ? Tree::Found::found : Tree::Found::absent),
              "{}: {} for a key that {}", what, static_cast<int>(found),
              there ? "is there" : "is not there");
        check(!there || value.data() == expected.data(), "{}: another value", what);
        check(!there || value.size() == expected.size(), "{}: another size", what);
        count += there ? 1 : 0;
    }
    return count;
}

// Keys next to a key, which may be there or not.
void add_neighbours(const std::string& key, std::vector<std::string>& out) {
    out.push_back(key);
    out.push_back(key + '\0');
    out.push_back(key + "z");
    out.push_back(key.substr(0, key.size() - 1));
    std::string changed = key;
    ++changed.back();
    out.push_back(changed);
    changed = key;
    changed[key.size() / 2] = static_cast<char>(changed[key.size() / 2] + 1);
    out.push_back(changed);
}

void digests() {
    std::mt19937_64 random(7);
    for (const std::size_t size : {1U, 2U, 20U, 300U, 20000U}) {
        for (const bool sorted : {true, false}) {
            const Directory directory;
            std::vector<Entry> entries;
            for (std::size_t i = 0; i < size; ++i) {
                entries.push_back(
                    {"t" + random_bytes(random, 32), std::string(90 + random() % 200, 'v')});
            }
            if (sorted) {
                std::sort(entries.begin(), entries.end(),
                          [](const Entry& a, const Entry& b) { return a.key < b.key; });
            }
            write_store(directory / "db", entries, {map_size, false, 1});
            std::vector<std::string> asked;
            for (const Entry& entry : entries) {
                add_neighbours(entry.key, asked);
                asked.push_back("t" + random_bytes(random, 32));
            }
            check(same_as_lmdb("digests", directory / "db", entries[0].key, asked) >= size,
                  "{} digests are not all found", size);
        }
    }
}

// Names in sequence, of several lengths, next to each other and to digests, as in a token store;
// some are deleted and some rewritten with values of another size, so that pages are used again.
void names_and_changes() {
    const Directory directory;
    std::mt19937_64 random(11);
    std::vector<Entry> entries;
    for (unsigned i = 0; i < 3000; ++i) {
        const std::string user = fmt::format("user-{:07}", i * 3);
        entries.push_back({"m" + user + '\0' + fmt::format("org-{}", i % 100), "membership"});
        entries.push_back({"u" + user, "user"});
        entries.push_back({"o" + std::to_string(i), "organization"});
        entries.push_back({"t" + random_bytes(random, 32), std::string(random() % 300 + 1, 'v')});
    }
    // Keys that share more than eight bytes behind a prefix, and those that are another's
    // beginning.
    for (unsigned i = 1; i < 120; ++i) {
        entries.push_back({"r" + std::string(i, 'a'), "role"});
        entries.push_back(
            {"raaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + std::to_string(i), "role"});
    }
    write_store(directory / "db", entries, {map_size, false, 1});
    std::vector<std::string> asked;
    for (const Entry& entry : entries) {
        add_neighbours(entry.key, asked);
    }
    same_as_lmdb("names", directory / "db", entries[0].key, asked);

    std::vector<bool> there(entries.size(), true);
    for (unsigned round = 0; round < 6; ++round) {
        std::vector<Entry> changes;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (random() % 5 == 0) {
                changes.push_back({entries[i].key, std::string(random() % 400 + 1, 'w')});
                there[i] = true;
            } else if (i != 0 && there[i] && random() % 9 == 0) {
                changes.push_back({entries[i].key, {}});
                there[i] = false;
            }
        }
        write_store(directory / "db", changes, {map_size, false, 1});
        same_as_lmdb("changes", directory / "db", entries[0].key, asked);
    }
}

// A value on pages of its own is LMDB's business.
void large_values() {
    const Directory directory;
    write_store(directory / "db", {{"a", "1"}, {"b", std::string(9000, 'x')}, {"c", "3"}},
                {map_size, false, 1});
    View view(directory / "db");
    Tree tree;
    settle(view, tree, "a");
    std::string_view value;
    check(tree.find("b", value) == Tree::Found::unsure, "a value that is elsewhere");
    check(tree.find("c", value) == Tree::Found::found && value == "3", "the one behind it");

    Tree other;
    settle(view, other, "b");
    check(!other.is_settled(), "settled by a value that is elsewhere");
}

void unsettled() {
    const Directory directory;
    write_store(directory / "db", {{"a", "1"}}, {map_size, false, 1});
    View view(directory / "db");
    std::string_view value;
    Tree tree;
    check(tree.find("a", value) == Tree::Found::unsure, "found before all");
    settle(view, tree, "a");
    check(tree.find("a", value) == Tree::Found::found, "not found");
    tree.leave();
    check(tree.find("a", value) == Tree::Found::unsure, "found after the end");

    view.get("a", value);
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, view.page_size + 1,
                                   view.page_size / 2, std::size_t{1} << 20}) {
        tree.settle(view.number(), size, map_size, "a", value);
        check(!tree.is_settled(), "settled with pages of {} bytes", size);
    }
    tree.settle(view.number(), view.page_size, map_size, "a", {});
    check(!tree.is_settled(), "settled by nothing");
    // The other meta page is that of the snapshot before.
    tree.settle(view.number() + 1, view.page_size, map_size, "a", value);
    check(!tree.is_settled(), "settled in a snapshot that is not");
    tree.settle(view.number() + 2, view.page_size, map_size, "a", value);
    check(!tree.is_settled(), "settled in one that comes later");
    tree.settle(view.number(), view.page_size, map_size, "b", value);
    check(!tree.is_settled(), "settled by another key's value");
    tree.settle(view.number(), view.page_size, 2 * view.page_size, "a", value);
    check(!tree.is_settled(), "settled in a map that is too small");
    tree.settle(view.number(), view.page_size, map_size, "a", value);
    check(tree.is_settled(), "not settled");
}

// Any byte of any page wrong: what is found is the key's, or LMDB is to be asked.
void damage() {
    const Directory directory;
    std::mt19937_64 random(13);
    std::vector<Entry> entries;
    for (unsigned i = 0; i < 400; ++i) {
        const std::string key = "t" + random_bytes(random, 32);
        entries.push_back({key, key + std::string(100, 'v')});
    }
    write_store(directory / "db", entries, {map_size, false, 1});
    const std::string file = directory / "db" + "/data.mdb";
    const std::string sound = read_file(file);
    const std::uint64_t tries = number_from("TREE_DAMAGES", 3000);
    std::size_t unsure = 0;
    std::size_t absent = 0;
    View view(directory / "db");
    Tree tree;
    settle(view, tree, entries[0].key);
    const int out = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    for (std::uint64_t i = 0; i < tries; ++i) {
        // Mostly in the heads of pages and nodes, where it matters.
        const std::size_t page = 2 + random() % (sound.size() / view.page_size - 2);
        const std::size_t within = random() % 4 == 0 ? random() % view.page_size : random() % 80;
        const std::size_t at = page * view.page_size + within;
        const std::string noise = random_bytes(random, 1 + random() % 8);
        check(pwrite(out, noise.data(), noise.size(), static_cast<off_t>(at)) ==
                  static_cast<ssize_t>(noise.size()),
              "cannot write");
        for (unsigned k = 0; k < 20; ++k) {
            const std::string& key = entries[random() % entries.size()].key;
            std::string_view value;
            const Tree::Found found = tree.find(key, value);
            unsure += found == Tree::Found::unsure ? 1 : 0;
            absent += found == Tree::Found::absent ? 1 : 0;
            check(found != Tree::Found::found ||
                      std::string_view(value.data() - key.size(), key.size()) == key,
                  "a value that is not the key's, {} bytes at {}", noise.size(), at);
            check(found != Tree::Found::found ||
                      reinterpret_cast<std::uintptr_t>(value.data()) % view.page_size +
                              value.size() <=
                          view.page_size,
                  "a value beyond its page, {} bytes at {}", noise.size(), at);
        }
        check(pwrite(out, sound.data() + at, noise.size(), static_cast<off_t>(at)) ==
                  static_cast<ssize_t>(noise.size()),
              "cannot mend");
    }
    // What a node says of itself.
    for (const auto& [at, bytes] : {std::pair{0, "\xff\x0f"}, {4, "\x01\x00"}, {6, "\xff\xff"}}) {
        const std::string& key = entries[100].key;
        const std::size_t node = sound.find(key) - 8;
        const auto where = static_cast<off_t>(node + static_cast<std::size_t>(at));
        check(pwrite(out, bytes, 2, where) == 2, "cannot write");
        std::string_view value;
        check(tree.find(key, value) == Tree::Found::unsure, "a node wrong at {}", at);
        check(pwrite(out, sound.data() + where, 2, where) == 2, "cannot mend");
    }
    close(out);
    check(unsure > 0 && absent > 0, "the damage was never met: {} unsure, {} absent", unsure,
          absent);
    for (const Entry& entry : entries) {
        std::string_view value;
        check(tree.find(entry.key, value) == Tree::Found::found && value == entry.value,
              "not found after the mending");
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(digests),      UNIT_TEST(names_and_changes),
        UNIT_TEST(large_values), UNIT_TEST(unsettled),
        UNIT_TEST(damage),
    };
    return cmocka_run_group_tests_name("tree", tests, nullptr, nullptr);
}
