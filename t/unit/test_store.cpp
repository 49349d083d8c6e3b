// The store as it is when all goes well: opening, snapshots, and what it costs its writer.
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/store.hpp"

namespace token_auth::unit {
namespace {

std::vector<Entry> full_world(std::uint64_t generation, bool revoked = false) {
    TokenRecord record = plain_record();
    record.revoked = revoked;
    return {meta_entry(generation),
            organization_entry("acme"),
            user_entry("ann"),
            membership_entry("ann", "acme", "viewer"),
            role_entry("viewer", "agents:read"),
            token_entry(digest_of("token"), record)};
}

void opening() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, full_world(7));
    Store store;
    check(!store.is_open(), "open before open()");
    check(store.open(path.c_str()), "open: {}", store.problem());
    check(store.is_open(), "not open after open()");
    check_equal(std::string_view(store.problem()), std::string_view(), "problem");
    StoreIdentity identity;
    check(store_identity(path.c_str(), identity), "identity");
    check(store.identity() == identity, "another identity");
    struct stat info {};
    check(stat((path + "/data.mdb").c_str(), &info) == 0 && info.st_ino == identity.inode &&
              info.st_dev == identity.device,
          "the identity is not that of data.mdb");
    check(store.is_whole(), "whole: {}", store.problem());
    check_equal(store.meta().generation, std::uint64_t{7}, "generation");
    check_equal(store.meta().source, std::string_view("0123456789abcdef"), "source");
    check_equal(store.meta().position, std::string_view("17"), "position");
    store.close();
    check(!store.is_open(), "open after close()");
    store.close();
    check(store.open(path.c_str()), "open again: {}", store.problem());
    check(store.open(path.c_str()), "open while open: {}", store.problem());
}

// Tokens that were not asked for before, in every snapshot, while others commit.
void pages_are_read() {
    const Directory directory;
    const std::string path = directory / "db";
    const auto world = [](std::uint64_t generation) {
        std::vector<Entry> entries = full_world(generation);
        for (int i = 0; i < 400; ++i) {
            TokenRecord record = plain_record();
            record.expires = static_cast<std::int64_t>(generation);
            entries.push_back(token_entry(digest_of("token" + std::to_string(i)), record));
        }
        return entries;
    };
    write_store(path, world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    check(store.reads_pages(), "not after it was opened");
    for (std::uint64_t generation = 1; generation < 12; ++generation) {
        Snapshot snapshot(store);
        check(snapshot.ok() && store.reads_pages(), "not in generation {}: {}", generation,
              store.problem());
        check_equal(snapshot.meta().generation, generation, "generation");
        // In the first one there is nothing ahead, then one commit, two, three.
        for (int ahead = 0; ahead < 4; ++ahead) {
            for (int i = ahead; i < 400; i += 4) {
                TokenRecord token;
                check_equal(snapshot.token(digest_of("token" + std::to_string(i)), token),
                            Lookup::found, "token {} with {} commits ahead", i, ahead);
                check_equal(token.expires, static_cast<std::int64_t>(generation),
                            "of another snapshot, {} commits ahead", ahead);
                check_equal(snapshot.token(digest_of("no token" + std::to_string(i)), token),
                            Lookup::not_found, "no token");
            }
            if (ahead < 3) {
                write_store(path, world(generation + 1));
            }
        }
    }
    check(store.is_whole(), "whole: {}", store.problem());
    check(!store.reads_pages(), "no look at the meta record is due");
    const Snapshot snapshot(store);
    check(snapshot.ok() && store.reads_pages(), "not after a look");
}

void lookups() {
    const Directory directory;
    write_store(directory / "db", full_world(1));
    Store store;
    check(store.open((directory / "db").c_str()), "open: {}", store.problem());
    Snapshot snapshot(store);
    check(snapshot.ok(), "snapshot: {}", store.problem());
    check_equal(snapshot.meta().generation, std::uint64_t{1}, "generation");

    TokenRecord token;
    std::string_view value;
    check_equal(snapshot.token(digest_of("token"), token, &value), Lookup::found, "token");
    check_equal(token.id, std::string_view("T1"), "id of the token");
    check_equal(value, encoded(plain_record()), "value of the token");
    check_equal(snapshot.token(digest_of("another"), token), Lookup::not_found, "no token");
    OrganizationRecord organization;
    check_equal(snapshot.organization("acme", organization), Lookup::found, "organization");
    check_equal(snapshot.organization("acm", organization), Lookup::not_found, "half a name");
    UserRecord user;
    check_equal(snapshot.user("ann", user), Lookup::found, "user");
    check_equal(snapshot.user("acme", user), Lookup::not_found, "an organization for a user");
    MembershipRecord membership;
    check_equal(snapshot.membership("ann", "acme", membership), Lookup::found, "membership");
    check_equal(membership.role, std::string_view("viewer"), "role of the membership");
    check_equal(snapshot.membership("ann", "globex", membership), Lookup::not_found, "no member");
    check_equal(snapshot.membership("bob", "acme", membership), Lookup::not_found, "nobody");
    RoleRecord role;
    check_equal(snapshot.role("viewer", role), Lookup::found, "role");
    check_equal(role.scopes, std::string_view("agents:read"), "scopes of the role");
    check_equal(snapshot.role("admin", role), Lookup::not_found, "no role");
}

void identity_of_none() {
    const Directory directory;
    StoreIdentity identity;
    errno = 0;
    check(!store_identity((directory / "db").c_str(), identity), "no directory");
    check_equal(errno, ENOENT, "errno of no directory");
    errno = 0;
    check(!store_identity(std::string(5000, 'x').c_str(), identity), "a long path");
    check_equal(errno, ENAMETOOLONG, "errno of a long path");
}

// A snapshot stays as it was; the next one has what was committed in between, meta and all.
void isolation() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, full_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    {
        Snapshot snapshot(store);
        TokenRecord before;
        check_equal(snapshot.token(digest_of("token"), before), Lookup::found, "before");
        write_store(path, full_world(2, true));
        TokenRecord during;
        check_equal(snapshot.token(digest_of("token"), during), Lookup::found, "during");
        check(!during.revoked, "a commit shows in a snapshot begun before it");
        check_equal(snapshot.meta().generation, std::uint64_t{1}, "generation during");
        check_equal(before.id, std::string_view("T1"), "views of the snapshot");
    }
    Snapshot snapshot(store);
    TokenRecord after;
    check_equal(snapshot.token(digest_of("token"), after), Lookup::found, "after");
    check(after.revoked, "a commit does not show in the next snapshot");
    check_equal(snapshot.meta().generation, std::uint64_t{2}, "generation after");
}

void meta_follows_commits() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, full_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    for (std::uint64_t generation = 2; generation < 12; ++generation) {
        write_store(path, full_world(generation));
        Snapshot snapshot(store);
        check_equal(snapshot.meta().generation, generation, "generation of a snapshot");
        check_equal(store.meta().generation, generation, "generation of the store");
    }
    // What is committed but no snapshot has seen is not there yet.
    write_store(path, full_world(50));
    check_equal(store.meta().generation, std::uint64_t{11}, "generation between snapshots");
}

// The writer makes its map larger and uses it; a store that is open follows.
void growth_of_the_map() {
    const Directory directory;
    const std::string path = directory / "db";
    WriteOptions options;
    options.map_size = std::size_t{1} << 20;
    write_store(path, full_world(1), options);
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());

    std::uint64_t generation = 1;
    for (const std::size_t mebibytes : {12U, 20U, 30U}) {
        ++generation;
        const std::size_t former = options.map_size;
        options.map_size = mebibytes << 20;
        std::vector<Entry> many = {meta_entry(generation)};
        const std::string scopes(4000, 's');
        for (int i = 0; i < 2000; ++i) {
            many.push_back(role_entry(fmt::format("r{}-{}", generation, i), scopes));
        }
        write_store(path, many, options);
        check(file_size(path + "/data.mdb") > former, "the test did not outgrow the former map");
        Snapshot snapshot(store);
        check(snapshot.ok(), "snapshot: {}", store.problem());
        RoleRecord role;
        check_equal(snapshot.role(fmt::format("r{}-1999", generation), role), Lookup::found,
                    "what was written beyond the former map");
        check_equal(role.scopes, std::string_view(scopes), "its value");
        check_equal(snapshot.meta().generation, generation, "generation");
        check(store.is_whole(), "whole: {}", store.problem());
    }
}

// Grown while a snapshot was held: that one goes on, the next one follows.
void growth_under_a_snapshot() {
    const Directory directory;
    const std::string path = directory / "db";
    WriteOptions options;
    options.map_size = std::size_t{1} << 20;
    write_store(path, full_world(1), options);
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    {
        Snapshot snapshot(store);
        std::vector<Entry> many = {meta_entry(2)};
        for (int i = 0; i < 2000; ++i) {
            many.push_back(role_entry(fmt::format("r{}", i), std::string(4000, 's')));
        }
        options.map_size *= 16;
        write_store(path, many, options);
        TokenRecord token;
        check_equal(snapshot.token(digest_of("token"), token), Lookup::found, "held");
        RoleRecord role;
        check_equal(snapshot.role("r1999", role), Lookup::not_found, "new ones in the held one");
    }
    Snapshot snapshot(store);
    RoleRecord role;
    check(snapshot.ok(), "snapshot: {}", store.problem());
    check_equal(snapshot.role("r1999", role), Lookup::found, "new ones in the next one");
}

std::size_t size_after_commits(const std::string& path) {
    WriteOptions options;
    options.map_size = std::size_t{256} << 20;
    options.transactions = 3000;
    write_store(path, full_world(9), options);
    return file_size(path + "/data.mdb");
}

// Between lookups a store holds no snapshot: pages are used again and the file does not grow.
void idle_store_pins_nothing() {
    constexpr std::size_t most = std::size_t{1} << 20;
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, full_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    TokenRecord token;
    check_equal(Snapshot(store).token(digest_of("token"), token), Lookup::found, "a lookup");
    check(size_after_commits(path) < most, "grew to {} bytes beside an idle store",
          file_size(path + "/data.mdb"));
    // So that the check above means something: a snapshot does pin them.
    const Snapshot snapshot(store);
    check(size_after_commits(path) > most, "grew to {} bytes only beside a snapshot",
          file_size(path + "/data.mdb"));
}

void reader_slots() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, full_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    check_equal(slots(readers_of(path), false), 1UL, "slots without a snapshot, once open");
    {
        const Snapshot snapshot(store);
        check_equal(slots(readers_of(path), true), 1UL, "slots with a snapshot");
        check_equal(slots(readers_of(path), false), 0UL, "slots besides it");
    }
    for (int i = 0; i < 100; ++i) {
        const Snapshot snapshot(store);
    }
    check_equal(slots(readers_of(path), false), 1UL, "slots after a hundred snapshots");
    check_equal(slots(readers_of(path), true), 0UL, "slots with a snapshot between them");
    store.close();
    const std::string list = readers_of(path);
    check(slots(list, false) + slots(list, true) == 0, "a slot of a closed store: {}", list);
}

// A store is found by the directory's real name, once: what a symlink leads to later is not it.
void through_a_symlink() {
    const Directory directory;
    write_store(directory / "one", full_world(1));
    write_store(directory / "two", full_world(2));
    const std::string link = directory / "current";
    check(symlink("one", link.c_str()) == 0, "symlink");
    Store store;
    check(store.open(link.c_str()), "open: {}", store.problem());
    check(unlink(link.c_str()) == 0 && symlink("two", link.c_str()) == 0, "symlink again");
    check_equal(Snapshot(store).meta().generation, std::uint64_t{1}, "generation");
    StoreIdentity identity;
    check(store_identity(link.c_str(), identity), "identity");
    check(!(store.identity() == identity), "the symlink's identity did not change");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(opening),
        UNIT_TEST(lookups),
        UNIT_TEST(pages_are_read),
        UNIT_TEST(identity_of_none),
        UNIT_TEST(isolation),
        UNIT_TEST(meta_follows_commits),
        UNIT_TEST(growth_of_the_map),
        UNIT_TEST(growth_under_a_snapshot),
        UNIT_TEST(idle_store_pins_nothing),
        UNIT_TEST(reader_slots),
        UNIT_TEST(through_a_symlink),
    };
    return cmocka_run_group_tests_name("store", tests, nullptr, nullptr);
}
