// The store: what it reads, what it opens, and what it says of what it does not take.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cmocka.hpp"
#include "store_file.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"

namespace token_auth {
namespace {

using unit::digest_of;
using unit::LmdbFile;
using unit::StoreFile;
using unit::token_of;

Lookup look_up(Store& store, std::string_view text, std::string& id) {
    TokenView token;
    const Lookup found =
        store.read([&](Snapshot& snapshot) { return snapshot.token(digest_of(text), token); });
    id = found == Lookup::found ? std::string(token.id()) : std::string();
    return found;
}

Lookup look_up(Store& store, std::string_view text) {
    std::string id;
    return look_up(store, text, id);
}

void put_tokens(MDB_txn* txn, int first, int last) {
    for (int i = first; i < last; ++i) {
        const std::string id = "t" + std::to_string(i);
        StoreFile::put(txn, token_of(id));
    }
}

void put_user(MDB_txn* txn, std::string_view text, std::string_view user, bool many) {
    TokenEntry entry = token_of(text);
    entry.kind = kind_user;
    entry.organization = {};
    entry.organization_number = 0;
    entry.subject = user;
    entry.user_key = user_key(user);
    entry.many_memberships = many;
    if (!many) {
        entry.memberships[0] = {"acme", organization_number("acme"), 1};
        entry.membership_count = 1;
    }
    StoreFile::put(txn, entry);
}

void put_suspended(MDB_txn* txn, std::string_view organization) {
    char buffer[128];
    const std::size_t size = encode_suspensions(&organization, 1, buffer, sizeof(buffer));
    LmdbFile::put(txn, suspension_key(organization_number(organization)), {buffer, size});
}

// Whether the store says that it cannot be opened, and why.
bool refuses(const std::string& directory, std::string_view why) {
    Store store;
    const bool opened = store.open(directory.c_str());
    const bool right = !opened && std::string_view(store.problem()).find(why) != std::string::npos;
    if (!right) {
        print_error("opened %d, problem: %s\n", opened, store.problem());
    }
    return right && !store.is_open();
}

void a_token_is_found_by_its_digest(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 1000); });
    Store store;
    const bool opened = store.open(file.directory());
    bool all = true;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = "t" + std::to_string(i);
        std::string got;
        all = look_up(store, id, got) == Lookup::found && got == id && all;
    }
    const Lookup unknown = look_up(store, "t1000");
    const std::uint64_t generation = store.meta().generation;
    const bool source = store.meta().source == "registry";
    assert_true(opened);
    assert_true(all);
    assert_int_equal(unknown, Lookup::not_found);
    assert_int_equal(generation, 101);
    assert_true(source);
}

void each_read_is_of_the_newest_commit(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 10); });
    Store store;
    const bool opened = store.open(file.directory());
    int right = 0;
    for (int i = 10; i < 200; ++i) {
        const bool before = look_up(store, "t" + std::to_string(i)) == Lookup::not_found;
        file.commit([&](MDB_txn* txn) {
            put_tokens(txn, i, i + 1);
            LmdbFile::remove(txn, token_key(digest_of("t" + std::to_string(i - 10))));
        });
        const bool after = look_up(store, "t" + std::to_string(i)) == Lookup::found;
        const bool gone = look_up(store, "t" + std::to_string(i - 10)) == Lookup::not_found;
        right += before && after && gone && store.meta().generation == file.meta.generation;
    }
    assert_true(opened);
    assert_int_equal(right, 190);
}

void a_file_that_grows_is_followed(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 1); });
    Store store;
    const bool opened = store.open(file.directory());
    const auto before = std::filesystem::file_size(file.file().data());
    file.commit([](MDB_txn* txn) { put_tokens(txn, 1, 30000); });
    const auto after = std::filesystem::file_size(file.file().data());
    int found = 0;
    for (int i = 0; i < 30000; ++i) {
        found += look_up(store, "t" + std::to_string(i)) == Lookup::found ? 1 : 0;
    }
    assert_true(opened);
    assert_true(after > before);
    assert_int_equal(found, 30000);
}

void equal_keys_are_told_apart_by_the_rest_of_the_digest(void**) {
    StoreFile file;
    TokenEntry first = token_of("one");
    TokenEntry second = token_of("two");
    TokenEntry third = token_of("three");
    second.digest = third.digest = first.digest;
    second.digest[7] = static_cast<std::uint8_t>(second.digest[7] ^ 1);
    third.digest[31] = static_cast<std::uint8_t>(third.digest[31] ^ 1);
    file.commit([&](MDB_txn* txn) {
        char buffer[1024];
        std::size_t size = encode(first, true, buffer, sizeof(buffer));
        size += encode(second, false, buffer + size, sizeof(buffer) - size);
        LmdbFile::put(txn, token_key(first.digest), {buffer, size});
    });
    Store store;
    const bool opened = store.open(file.directory());
    std::string ids;
    Lookup found[3];
    for (int i = 0; i < 3; ++i) {
        const TokenEntry* entries[] = {&first, &second, &third};
        TokenView token;
        found[i] = store.read(
            [&](Snapshot& snapshot) { return snapshot.token(entries[i]->digest, token); });
        ids += found[i] == Lookup::found ? std::string(token.id()) + " " : "- ";
    }
    const bool right = ids == "one two - ";
    ids = {};
    assert_true(opened);
    assert_true(right);
}

struct Resolved {
    Lookup found;
    Claims claims;
};

Resolved resolved(Store& store, std::string_view text, std::string_view organization) {
    Resolved out;
    out.found = store.read([&](Snapshot& snapshot) {
        return resolve(snapshot, digest_of(text), OrganizationMode::required, organization,
                       out.claims);
    });
    return out;
}

void a_token_is_resolved_with_all_that_bears_on_it(void**) {
    StoreFile file;
    file.meta.counts.suspended = 1;
    file.commit([](MDB_txn* txn) {
        TokenEntry with_role = token_of("with-role");
        with_role.role = 1;
        StoreFile::put(txn, with_role);
        TokenEntry role_named = token_of("role-named");
        role_named.role = 3;
        StoreFile::put(txn, role_named);
        TokenEntry of_suspended = token_of("of-suspended");
        of_suspended.organization = "gone-bad";
        of_suspended.organization_number = organization_number("gone-bad");
        StoreFile::put(txn, of_suspended);
        // Shares the suspended one's number, and not its name.
        TokenEntry of_double = token_of("of-double");
        of_double.organization_number = organization_number("gone-bad");
        StoreFile::put(txn, of_double);
        put_user(txn, "user", "ada", false);
        put_suspended(txn, "gone-bad");
        StoreFile::put(txn, 1, {true, "admin", "a b"});
        StoreFile::put(txn, 3, {false, "missing", {}});
    });
    Store store;
    assert_true(store.open(file.directory()));

    Resolved got = resolved(store, "with-role", {});
    assert_int_equal(got.found, Lookup::found);
    assert_true(got.claims.known && got.claims.member && !got.claims.suspended);
    assert_true(got.claims.organization == "acme");
    assert_true(got.claims.role == "admin");
    assert_true(got.claims.role_scopes == "a b");

    got = resolved(store, "role-named", {});
    assert_true(got.claims.role == "missing");
    assert_true(got.claims.role_scopes.empty());

    assert_true(resolved(store, "of-suspended", {}).claims.suspended);
    assert_false(resolved(store, "of-double", {}).claims.suspended);

    got = resolved(store, "user", "acme");
    assert_true(got.claims.member);
    assert_true(got.claims.role == "admin");
    got = resolved(store, "user", "other");
    assert_true(got.claims.known && !got.claims.member);
    assert_true(got.claims.organization == "other");
    got = resolved(store, "user", {});
    assert_true(got.claims.known && got.claims.organization.empty());
    got = resolved(store, "user", "no identifier");
    assert_true(got.claims.known && got.claims.organization.empty());

    assert_int_equal(resolved(store, "unknown", {}).found, Lookup::not_found);
}

void many_memberships_stand_in_the_users_record(void**) {
    StoreFile file;
    std::vector<std::string> names;
    for (int i = 0; i < 5000; ++i) {
        names.push_back("organization-" + std::to_string(i));
    }
    std::vector<Membership> memberships;
    for (const std::string& name : names) {
        memberships.push_back({name, organization_number(name), 1});
    }
    std::sort(memberships.begin(), memberships.end(), [](const auto& a, const auto& b) {
        return std::pair(a.number, a.organization) < std::pair(b.number, b.organization);
    });
    std::string value(user_record_size("ada", memberships.data(), memberships.size()), '\0');
    encode_user("ada", memberships.data(), memberships.size(), value.data(), value.size());
    // Another user of the same key stands before.
    const Membership one{"acme", organization_number("acme"), 1};
    std::string before(user_record_size("bob", &one, 1), '\0');
    encode_user("bob", &one, 1, before.data(), before.size());
    file.commit([&](MDB_txn* txn) {
        put_user(txn, "user", "ada", true);
        put_user(txn, "no-record", "eve", true);
        LmdbFile::put(txn, user_key("ada"), before + value);
        StoreFile::put(txn, 1, {true, "admin", "a"});
    });
    Store store;
    const bool opened = store.open(file.directory());
    int members = 0;
    for (const std::string& name : names) {
        members += resolved(store, "user", name).claims.member ? 1 : 0;
    }
    const bool of_other = resolved(store, "user", "acme").claims.member;
    const Lookup without = resolved(store, "no-record", "acme").found;
    const bool damaged = std::strstr(store.problem(), "damaged") != nullptr;
    names = {};
    memberships = {};
    value = before = {};
    assert_true(opened);
    assert_int_equal(members, 5000);
    assert_false(of_other);
    assert_int_equal(without, Lookup::broken);
    assert_true(damaged);
}

void changed_roles_are_read_anew(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) {
        TokenEntry entry = token_of("t");
        entry.role = 0;
        StoreFile::put(txn, entry);
        StoreFile::put(txn, 0, {true, "r", "a"});
    });
    Store store;
    assert_true(store.open(file.directory()));
    assert_true(resolved(store, "t", {}).claims.role_scopes == "a");
    *resolved(store, "t", {}).claims.role_meets = 1;
    assert_int_equal(*resolved(store, "t", {}).claims.role_meets, 1);
    file.meta.roles_generation = file.meta.generation + 1;
    file.commit([](MDB_txn* txn) { StoreFile::put(txn, 0, {true, "r", "b"}); });
    assert_true(resolved(store, "t", {}).claims.role_scopes == "b");
    assert_int_equal(*resolved(store, "t", {}).claims.role_meets, 0);  // what the old one met
    // A role without a record is damage: nothing is granted for want of one.
    file.meta.roles_generation = file.meta.generation + 1;
    file.commit([](MDB_txn* txn) { LmdbFile::remove(txn, role_key(0)); });
    assert_int_equal(resolved(store, "t", {}).found, Lookup::broken);
}

void tokens_are_found_under_each_key_in_use(void**) {
    constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";
    Digester digester;
    Digester without;
    assert_true(digester.init() && without.init() && digester.add_key(pepper));
    StoreFile file;
    file.meta.keys[0] = {no_key, 1};
    file.meta.keys[2] = {digester.key_id(0), 1};
    file.commit([&](MDB_txn* txn) {
        StoreFile::put(txn, token_of("plain"));
        TokenEntry keyed = token_of("keyed");
        digester.keyed(0, "keyed", keyed.digest);
        keyed.key_index = 2;
        StoreFile::put(txn, keyed);
        // Its plain digest, stored as a keyed one.
        TokenEntry wrong = token_of("wrong");
        wrong.key_index = 2;
        StoreFile::put(txn, wrong);
    });
    Store store;
    assert_true(store.open(file.directory()));
    for (const std::string_view token : {"plain", "keyed"}) {
        Identify identify(digester, token, OrganizationMode::off, {});
        assert_int_equal(store.read(identify), Lookup::found);
        assert_true(identify.claims.token.id() == token);
    }
    Identify wrong(digester, "wrong", OrganizationMode::off, {});
    assert_int_equal(store.read(wrong), Lookup::not_found);
    assert_false(wrong.claims.known);
    assert_int_equal(wrong.missing_key, no_key);
    Identify keyed(without, "keyed", OrganizationMode::off, {});
    assert_int_equal(store.read(keyed), Lookup::not_found);
    assert_int_equal(keyed.missing_key, digester.key_id(0));
    Identify plain(without, "plain", OrganizationMode::off, {});
    assert_int_equal(store.read(plain), Lookup::found);
}

void records_are_read_in_runs(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) {
        put_tokens(txn, 0, 2000);
        LmdbFile::put(txn, first_user_key + 5, std::string(20000, 'u'));
    });
    Store store;
    const bool opened = store.open(file.directory());
    std::vector<char> buffer(5000);
    std::uint64_t from = 0;
    std::uint64_t last = 0;
    std::size_t count = 0;
    std::size_t grown = 0;
    bool ascending = true;
    for (Run run; !run.at_end;) {
        const Lookup found = store.read([&](Snapshot& snapshot) {
            return snapshot.run(from, buffer.data(), buffer.size(), run);
        });
        if (found != Lookup::found) {
            break;
        }
        if (run.missing != 0) {
            grown = run.missing;
            buffer.resize(run.missing);
            continue;
        }
        std::string_view rest(buffer.data(), buffer.size());
        for (std::size_t i = 0; i < run.count; ++i) {
            std::uint64_t key = 0;
            std::string_view value;
            ascending = next_record(rest, key, value) && (count == 0 || key > last) && ascending;
            last = key;
            ++count;
        }
        from = run.next;
    }
    buffer = {};
    assert_true(opened);
    assert_int_equal(count, 2002);
    assert_true(ascending);
    assert_int_equal(last, meta_record_key);
    assert_int_equal(grown, 20016);
}

void a_store_says_how_large_it_is(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 5000); });
    file.commit([](MDB_txn* txn) {
        for (int i = 0; i < 4000; ++i) {
            LmdbFile::remove(txn, token_key(digest_of("t" + std::to_string(i))));
        }
    });
    Store store;
    assert_true(store.open(file.directory()));
    StoreSize size;
    assert_int_equal(store.read([&](Snapshot& snapshot) { return snapshot.size(size); }),
                     Lookup::found);
    assert_int_equal(size.entries, 1001);
    assert_true(size.used <= size.file);
    assert_true(size.unused > 0 && size.unused < size.used);
}

void what_is_no_store_is_refused_with_a_remedy(void**) {
    LmdbFile empty;
    assert_true(
        refuses("/nonexistent", "run \"tokensync run --db /nonexistent\" to build the store"));
    empty.write([](MDB_txn*) {});
    assert_true(refuses(empty.directory(), "holds no token store yet"));

    LmdbFile format_1(1 << 20, 0);
    format_1.write([](MDB_txn* txn) { LmdbFile::put(txn, 'M', "TKAUTH"); });
    assert_true(refuses(format_1.directory(), "format 1"));

    LmdbFile foreign;
    foreign.write([](MDB_txn* txn) { LmdbFile::put(txn, meta_record_key, "what is it"); });
    assert_true(refuses(foreign.directory(), "another program"));

    LmdbFile without_meta;
    without_meta.write([](MDB_txn* txn) { LmdbFile::put(txn, 1, "what is it"); });
    assert_true(refuses(without_meta.directory(), "holds no token store yet"));

    LmdbFile unfinished;
    unfinished.write(
        [](MDB_txn* txn) { LmdbFile::put(txn, meta_record_key, unfinished_marker()); });
    assert_true(refuses(unfinished.directory(), "not finished"));

    LmdbFile other_format;
    other_format.write([](MDB_txn* txn) {
        LmdbFile::put(txn, meta_record_key, std::string_view("TKAUTH\x03\x00", 8));
    });
    assert_true(refuses(other_format.directory(), "another format"));

    // Somebody else's commit behind tokensync's.
    StoreFile overtaken;
    overtaken.commit();
    overtaken.file().write([](MDB_txn* txn) { LmdbFile::put(txn, 1, "x"); });
    assert_true(refuses(overtaken.directory(), "last commit is not tokensync's"));
}

void a_file_that_is_none_of_lmdb_is_refused(void**) {
    LmdbFile place;
    const std::string data = place.data();
    const auto with = [&](std::string_view bytes, std::string_view why) {
        unlink(data.c_str());
        std::ofstream(data, std::ios::binary) << bytes;
        return refuses(place.directory(), why);
    };
    const bool empty = with("", "is empty");
    const bool tiny = with("too short", "truncated");
    const bool noise = with(std::string(8192, '\x5a'), "no LMDB file");
    const bool zeros = with(std::string(8192, '\0'), "no LMDB file");
    unlink(data.c_str());
    const bool absent = refuses(place.directory(), "tokensync run");
    const bool made_link = symlink("/etc/hostname", data.c_str()) == 0;
    const bool link = refuses(place.directory(), "may be a link");
    const bool below = refuses("/etc/passwd", "a part of the path is a file");
    unlink(data.c_str());
    const bool made_pipe = mkfifo(data.c_str(), 0600) == 0;
    const bool pipe = refuses(place.directory(), "in which it is a file");
    assert_true(empty);
    assert_true(tiny);
    assert_true(noise);
    assert_true(zeros);
    assert_true(absent);
    assert_true(made_link && link);
    assert_true(made_pipe && pipe);
    assert_true(below);
}

void what_the_system_refuses_has_a_remedy_of_its_own(void**) {
    StoreFile file;
    file.commit();
    const auto with_limit = [&](__rlimit_resource what, rlim_t limit, std::string_view why) {
        Store store;
        struct rlimit before {};
        getrlimit(what, &before);
        const struct rlimit small { limit, before.rlim_max };
        setrlimit(what, &small);
        const bool opened = store.open(file.directory());
        setrlimit(what, &before);
        return !opened && std::string_view(store.problem()).find(why) != std::string_view::npos;
    };
    const bool files = with_limit(RLIMIT_NOFILE, 0, "Too many open files; this process has");
    const bool memory = with_limit(RLIMIT_AS, 1, "Cannot allocate memory; free some memory");
    assert_true(files);
    assert_true(memory);
}

void a_file_that_is_cut_off_breaks_the_store_and_not_the_process(void**) {
    for (const std::size_t left : {0, 4096, 2 * 4096, 40 * 4096}) {
        StoreFile file;
        file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 5000); });
        Store store;
        const bool opened = store.open(file.directory());
        const bool cut = truncate(file.file().data().c_str(), static_cast<off_t>(left)) == 0;
        int broken = 0;
        int wrong = 0;
        for (int i = 0; i < 5000 && broken == 0; ++i) {
            const Lookup found = look_up(store, "t" + std::to_string(i));
            broken += found == Lookup::broken ? 1 : 0;
            wrong += found == Lookup::not_found ? 1 : 0;
        }
        const bool said = std::strstr(store.problem(), "truncated") != nullptr;
        const bool noticed = !store.refresh();
        assert_true(opened && cut);
        assert_int_equal(broken, 1);
        assert_int_equal(wrong, 0);
        assert_true(said);
        assert_true(noticed);
    }
}

void a_file_overwritten_in_place_breaks_the_store(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { put_tokens(txn, 0, 5000); });
    Store store;
    const bool opened = store.open(file.directory());
    const auto size = std::filesystem::file_size(file.file().data());
    {
        std::fstream out(file.file().data(), std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(2 * 4096);
        out << std::string(size - 2 * 4096, '\x33');
    }
    const Lookup found = look_up(store, "t1");
    const bool said = std::strstr(store.problem(), "--rebuild") != nullptr;
    const bool whole = store.refresh();
    const Lookup after = look_up(store, "t1");
    assert_true(opened);
    assert_int_equal(found, Lookup::broken);
    assert_true(said);
    assert_true(whole);
    assert_int_equal(after, Lookup::broken);
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_by_its_digest),
        cmocka_unit_test(each_read_is_of_the_newest_commit),
        cmocka_unit_test(a_file_that_grows_is_followed),
        cmocka_unit_test(equal_keys_are_told_apart_by_the_rest_of_the_digest),
        cmocka_unit_test(a_token_is_resolved_with_all_that_bears_on_it),
        cmocka_unit_test(many_memberships_stand_in_the_users_record),
        cmocka_unit_test(changed_roles_are_read_anew),
        cmocka_unit_test(tokens_are_found_under_each_key_in_use),
        cmocka_unit_test(records_are_read_in_runs),
        cmocka_unit_test(a_store_says_how_large_it_is),
        cmocka_unit_test(what_is_no_store_is_refused_with_a_remedy),
        cmocka_unit_test(a_file_that_is_none_of_lmdb_is_refused),
        cmocka_unit_test(what_the_system_refuses_has_a_remedy_of_its_own),
        cmocka_unit_test(a_file_that_is_cut_off_breaks_the_store_and_not_the_process),
        cmocka_unit_test(a_file_overwritten_in_place_breaks_the_store),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
