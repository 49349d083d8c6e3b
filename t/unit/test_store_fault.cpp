// Stores that break while they are open, and tables of readers that are full. What must hold: a
// problem with its remedy, never a wrong answer or the end of the process.
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "faults.hpp"
#include "scratch.hpp"
#include "token_auth/store.hpp"
#include "watched.hpp"

namespace token_auth::unit {
namespace {

void snapshot_of_a_closed_store() {
    Store store;
    const Snapshot snapshot(store);
    check(!snapshot.ok(), "a snapshot of a store that was never opened");
}

void damaged_record() {
    const Directory directory;
    const std::string path = directory / "db";
    std::vector<Entry> entries = small_world(1);
    entries[1].value += "x";
    write_store(path, entries);
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    Snapshot snapshot(store);
    OrganizationRecord organization;
    check_equal(snapshot.organization("acme", organization), Lookup::broken, "damaged record");
    check(std::string_view(store.problem()).find("damaged") != std::string_view::npos,
          "problem: {}", store.problem());
}

// The meta record is looked at again with every commit, not only when the store is opened.
void meta_damaged_by_a_commit() {
    const Fault faults[] = {
        {"damaged",
         [](const std::string& path) {
             rewrite_meta(path, [](std::string& value) { value.pop_back(); });
         },
         "damaged"},
        {"of another version",
         [](const std::string& path) {
             rewrite_meta(path, [](std::string& value) { value[6] = 2; });
         },
         "another format version"},
        {"deleted",
         [](const std::string& path) {
             write_store(path, {{std::string(meta_key()), ""}});
         },
         "no token store"},
    };
    for (const Fault& fault : faults) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        Store store;
        check(store.open(path.c_str()), "open: {}", store.problem());
        check(Snapshot(store).ok(), "{}: before", fault.name);
        fault.make(path);
        for (int i = 0; i < 3; ++i) {
            check(!Snapshot(store).ok(), "{}: a snapshot", fault.name);
        }
        check(std::string_view(store.problem()).find(fault.problem) != std::string_view::npos,
              "{}: {}", fault.name, store.problem());
    }
}

// A look, and, where it finds nothing, a lookup.
std::string noticed(Store& store) {
    if (store.is_whole()) {
        Snapshot snapshot(store);
        TokenRecord token;
        if (snapshot.ok() && snapshot.token(digest_of("token"), token) != Lookup::broken) {
            return "not noticed";
        }
    }
    return store.problem();
}

// Files that change under an open store. Whether it is whole is asked once a second, before
// anything is read: neither the question nor what follows may end the process.
void damaged_while_open() {
    const Fault faults[] = {
        {"cut off by a page",
         [](const std::string& file) {
             truncate(file.c_str(), static_cast<off_t>(file_size(file) - page));
         },
         "truncated"},
        {"cut off to its meta pages",
         [](const std::string& file) { truncate(file.c_str(), static_cast<off_t>(2 * page)); },
         "truncated"},
        {"cut off within its meta pages",
         [](const std::string& file) { truncate(file.c_str(), static_cast<off_t>(page)); },
         "truncated"},
        {"cut off to nothing", [](const std::string& file) { truncate(file.c_str(), 0); },
         "truncated"},
        {"cut off to a byte", [](const std::string& file) { truncate(file.c_str(), 1); },
         "truncated"},
        {"overwritten with noise",
         [](const std::string& file) { overwrite(file, 0, noise(file_size(file))); },
         "tokensync run"},
        {"overwritten with zero bytes",
         [](const std::string& file) { overwrite(file, 0, std::string(file_size(file), '\0')); },
         "tokensync run"},
        {"overwritten with 0xff bytes",
         [](const std::string& file) { overwrite(file, 0, std::string(file_size(file), '\xff')); },
         "tokensync run"},
        {"its meta pages overwritten with noise",
         [](const std::string& file) { overwrite(file, 0, noise(2 * page)); }, "tokensync run"},
    };
    for (const Fault& fault : faults) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        const std::string problem = in_child([&]() -> std::string {
            Store store;
            if (!store.open(path.c_str()) || !Snapshot(store).ok() || !store.is_whole()) {
                return std::string("before: ") + store.problem();
            }
            fault.make(path + "/data.mdb");
            return noticed(store);
        });
        check(problem.find(fault.problem) != std::string::npos, "{}: {}", fault.name, problem);
    }
}

// A token that was found before is looked for again where it was: that may be no more, or hold
// anything. It is found as it was or the store is broken, and after the next look it is.
void damaged_behind_a_place() {
    const std::size_t root = 2 * page;
    const Fault faults[] = {
        {"cut off to its meta pages",
         [](const std::string& file) { truncate(file.c_str(), static_cast<off_t>(root)); },
         "tokensync run"},
        {"cut off to nothing", [](const std::string& file) { truncate(file.c_str(), 0); },
         "tokensync run"},
        {"noise behind its meta pages",
         [](const std::string& file) { overwrite(file, root, noise(file_size(file) - root)); },
         "tokensync run"},
        {"its roots set to zero",
         [](const std::string& file) {
             for (const std::size_t meta : {0UL, page}) {
                 overwrite(file, meta + 128, std::string(8, '\0'));
             }
         },
         "tokensync run"},
    };
    for (const Fault& fault : faults) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        const std::string problem = in_child([&]() -> std::string {
            Store store;
            TokenRecord token;
            if (!store.open(path.c_str()) ||
                Snapshot(store).token(digest_of("token"), token) != Lookup::found) {
                return std::string("before: ") + store.problem();
            }
            fault.make(path + "/data.mdb");
            if (Snapshot snapshot(store); snapshot.ok()) {
                switch (snapshot.token(digest_of("token"), token)) {
                    case Lookup::broken:
                        return store.problem();
                    case Lookup::not_found:
                        return "the token is gone";
                    case Lookup::found:
                        if (token.id != "T1") {
                            return "another token";
                        }
                }
            }
            return noticed(store);
        });
        check(problem.find(fault.problem) != std::string::npos, "{}: {}", fault.name, problem);
    }
}

// Overwritten between two looks: the next lookup comes before the question whether it is whole.
void overwritten_between_looks() {
    const struct {
        const char* name;
        std::string bytes;
    } rows[] = {
        {"noise", noise(16 * page)},
        {"zero bytes", std::string(16 * page, '\0')},
        {"0xff bytes", std::string(16 * page, '\xff')},
    };
    for (const auto& row : rows) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        const std::string outcome = in_child([&]() -> std::string {
            Store store;
            if (!store.open(path.c_str()) || !Snapshot(store).ok()) {
                return std::string("before: ") + store.problem();
            }
            const std::string file = path + "/data.mdb";
            overwrite(file, 0, row.bytes.substr(0, file_size(file)));
            Snapshot snapshot(store);
            TokenRecord token;
            if (!snapshot.ok() || snapshot.token(digest_of("token"), token) == Lookup::broken) {
                return "broken";
            }
            return "not noticed";
        });
        check_equal(outcome, std::string("broken"), "{}", row.name);
    }
}

// As a restored backup may do: the lock file knows of commits that the copy does not have.
void overwritten_by_an_older_copy() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    const std::string copy = read_file(path + "/data.mdb");
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    write_store(path, small_world(2));
    check(Snapshot(store).ok(), "before: {}", store.problem());
    overwrite(path + "/data.mdb", 0, copy);
    check(!Snapshot(store).ok(), "an older copy is read");
    const std::string_view problem = store.problem();
    check(problem.find("older copy") != std::string_view::npos, "problem: {}", problem);
    Store another;
    check_in_child([&] { check(!another.open(path.c_str()), "an older copy is opened"); });
    write_store(path, small_world(3));
    check(Snapshot(store).ok(), "brought up to date: {}", store.problem());
}

// With as many commits as the one before, only its generation tells.
void overwritten_by_another_of_as_many_commits() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(2));
    write_store(directory / "other", small_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    overwrite(path + "/data.mdb", 0, read_file(directory / "other/data.mdb"));
    store.is_whole();
    check(!Snapshot(store).ok(), "an older generation is read");
}

// A page that was overwritten with something that LMDB takes for one that holds nothing.
void emptied_root_page() {
    const Directory directory;
    const std::string path = directory / "db";
    const std::string file = path + "/data.mdb";
    write_store(path, small_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    for (const std::size_t meta : {std::size_t{0}, page}) {
        std::uint64_t root = 0;  // of the main database
        std::memcpy(&root, read_file(file).data() + meta + 128, sizeof(root));
        if (root != 0 && root < file_size(file) / page) {
            overwrite(file, root * page + 12, std::string_view("\x10\0", 2));  // no keys
        }
    }
    TokenRecord token;
    Snapshot snapshot(store);
    check(snapshot.ok(), "no snapshot: {}", store.problem());
    check_equal(snapshot.token(digest_of("token"), token), Lookup::broken, "a lookup");
    check(std::string_view(store.problem()).find("damaged") != std::string_view::npos,
          "problem: {}", store.problem());
}

// All reader slots taken by others: a problem with its remedy, and all well once some are free.
void readers_full() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    unlink((path + "/lock.mdb").c_str());
    Store store;
    {
        const Holder holder([&] {
            MDB_env* env = open_for_writing(path, default_map, 2);
            for (int i = 0; i < 2; ++i) {
                MDB_txn* txn = nullptr;
                if (mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) != MDB_SUCCESS) {
                    throw std::runtime_error("take a slot");
                }
            }
        });
        check(!store.open(path.c_str()), "opened without a slot");
        check(
            std::string_view(store.problem()).find("too many processes") != std::string_view::npos,
            "problem: {}", store.problem());
        check(!store.is_open(), "open without a slot");
    }
    check(store.open(path.c_str()), "open: {}", store.problem());
    check(Snapshot(store).ok(), "snapshot: {}", store.problem());
}

// Slots of processes that were killed are no one's: whoever needs one takes it.
void slots_of_the_dead() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    unlink((path + "/lock.mdb").c_str());
    // Keeps the lock file in use, so that its table of readers stays as it is.
    const Holder holder([&] { open_for_writing(path, default_map, 2); });
    for (int i = 0; i < 8; ++i) {
        const std::string outcome = in_child([&]() -> std::string {
            Store store;
            if (!store.open(path.c_str())) {
                return store.problem();
            }
            const Snapshot snapshot(store);
            _exit(snapshot.ok() ? 9 : 1);  // killed inside a snapshot
        });
        check_equal(outcome, std::string("ended with status 9"), "reader {}", i);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {

        UNIT_TEST(snapshot_of_a_closed_store),
        UNIT_TEST(damaged_record),
        UNIT_TEST(meta_damaged_by_a_commit),
        UNIT_TEST(damaged_while_open),
        UNIT_TEST(overwritten_between_looks),
        UNIT_TEST(readers_full),
        UNIT_TEST(overwritten_by_an_older_copy),
        UNIT_TEST(overwritten_by_another_of_as_many_commits),
        UNIT_TEST(emptied_root_page),
        UNIT_TEST(damaged_behind_a_place),
        UNIT_TEST(slots_of_the_dead),
    };
    return cmocka_run_group_tests_name("store_fault", tests, nullptr, nullptr);
}
