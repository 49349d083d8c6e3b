// Stores of a table that break, one way or another, and what becomes of those that share them.
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "faults.hpp"
#include "scratch.hpp"
#include "token_auth/store_table.hpp"
#include "watched.hpp"

namespace token_auth::unit {
namespace {

// While an older store stands in its place, the one being served may still break.
void served_breaks_beside_an_older() {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "new", small_world(10));
    write_store(directory / "old", small_world(9));
    swap_link("new", link);
    check_in_child([&] {
        Watched watched({link});
        watched.next_second();
        swap_link("old", link);
        check_equal(watched.next_second(), std::string("10"), "refused");
        watched.told();
        truncate((directory / "new/data.mdb").c_str(), page);
        const std::string served = watched.next_second();
        check(served == "none" || served == "9", "served {}", served);
        check(watched.told().starts_with("lost"), "the loss was not told");
    });
}

void replaced_by_a_broken_one() {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "good", small_world(1));
    write_store(directory / "bad", small_world(2));
    write_file(directory / "bad/data.mdb", "noise");
    swap_link("good", link);
    Watched watched({link});
    check_equal(watched.next_second(), std::string("1"), "before");
    swap_link("bad", link);
    check_equal(watched.next_second(), std::string("none"), "a broken one in its place");
    watched.next_second();
    check_equal(watched.told(), std::string("opened lost"), "told");
    swap_link("good", link);
    check_equal(watched.next_second(), std::string("1"), "the good one again");
    check_equal(watched.told(), std::string("opened"), "told of the return");
}

void given_up() {
    const Directory directory;
    const std::string path = directory / "db";
    const std::string link = directory / "link";
    std::vector<Entry> damaged = small_world(1);
    damaged[2].value.pop_back();
    write_store(path, damaged);
    swap_link("db", link);
    Watched watched({path, link});
    check(watched.store(0) != nullptr && watched.store(0) == watched.store(1),
          "the store is not shared");
    watched.told();
    check_equal(watched.same_second(0), std::string("none"), "a broken record");
    check_equal(watched.told(), std::string("lost lost"), "told for both paths");
    check(watched.text().find("damaged") != std::string::npos, "text: {}", watched.text());
    check_equal(watched.same_second(0), std::string("none"), "given up");
    watched.give_up(0);
    check_equal(watched.told(), std::string(), "given up once more");
    write_store(path, small_world(2));
    check_equal(watched.next_second(0), std::string("2"), "mended");
    check_equal(watched.next_second(1), std::string("2"), "mended by the other path");
    check(watched.store(0) == watched.store(1), "two environments after it");
}

// Cut off or overwritten while it is open: noticed at the next look, and taken up once mended.
void broken_while_open() {
    const struct {
        const char* name;
        void (*make)(const std::string& file);
    } faults[] = {
        {"cut off by a page",
         [](const std::string& file) {
             truncate(file.c_str(), static_cast<off_t>(file_size(file) - page));
         }},
        {"cut off to nothing", [](const std::string& file) { truncate(file.c_str(), 0); }},
        {"written anew with noise",
         [](const std::string& file) { write_file(file, std::string(file_size(file), '\xa5')); }},
        {"written anew with zero bytes",
         [](const std::string& file) { write_file(file, std::string(file_size(file), '\0')); }},
    };
    for (const auto& fault : faults) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        check_in_child([&] {
            Watched watched({path});
            check_equal(watched.next_second(), std::string("1"), "{}: before", fault.name);
            fault.make(path + "/data.mdb");
            check_equal(watched.next_second(), std::string("none"), "{}", fault.name);
            check_equal(watched.next_second(), std::string("none"), "{}: later", fault.name);
            const std::string told = watched.told();
            // The reason may change once, from what was seen to what opening says.
            check(told == "opened lost" || told == "opened lost lost", "{}: told {}", fault.name,
                  told);
            check(watched.text().find("tokensync run") != std::string::npos, "{}: {}", fault.name,
                  watched.text());
            std::string mend = path + ".mended";
            write_store(mend, small_world(2));
            move(path, path + ".broken");
            move(mend, path);
            check_equal(watched.next_second(), std::string("2"), "{}: mended", fault.name);
            check_equal(watched.told(), std::string("opened"), "{}: told", fault.name);
        });
    }
}

// Without its lock file, no one can tell this process of a commit once another one was made.
void lock_file_replaced() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    Watched watched({path});
    check_equal(watched.next_second(), std::string("1"), "before");
    unlink((path + "/lock.mdb").c_str());
    check_equal(watched.next_second(), std::string("1"), "no lock file");
    write_store(path, small_world(2));  // makes another
    check_equal(watched.next_second(), std::string("2"), "another lock file");
    write_store(path, small_world(3));
    check_equal(watched.same_second(), std::string("3"), "a commit after it");
}

// A lock file that is cut while it is mapped faults where a slot is written, or given back.
void lock_file_cut_while_open() {
    for (const off_t size : {off_t{0}, off_t{64}, static_cast<off_t>(page)}) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        check_in_child([&] {
            Watched watched({path});
            check_equal(watched.next_second(), std::string("1"), "before");
            truncate((path + "/lock.mdb").c_str(), size);
            watched.next_second();
            const std::string served = watched.next_second();
            check(served == "1" || served == "none", "cut to {}: served {}", size, served);
            move(path, path + ".broken");
            write_store(path, small_world(2));
            watched.next_second();
            check_equal(watched.next_second(), std::string("2"), "mended");
        });
    }
}

// Two environments on one lock file would give each other's slot away.
void data_file_exchanged_beside_its_lock() {
    const Directory directory;
    const std::string path = directory / "db";
    const std::string link = directory / "link";
    write_store(path, small_world(5));
    write_store(directory / "new", small_world(6));
    write_store(directory / "old", small_world(4));
    swap_link("db", link);
    Watched watched({path, link});
    check_equal(watched.next_second(0), std::string("5"), "before");
    check_equal(watched.next_second(1), std::string("5"), "by the link");
    watched.told();
    move(directory / "new/data.mdb", path + "/data.mdb");
    check_equal(watched.next_second(0), std::string("6"), "a newer one");
    check_equal(watched.told(), std::string("lost lost opened"), "let go of first");
    check_equal(slots(readers_of(path), false), 1UL, "its slot");
    check_equal(watched.next_second(1), std::string("6"), "by the link");
    watched.told();
    move(directory / "old/data.mdb", path + "/data.mdb");
    check_equal(watched.next_second(0), std::string("none"), "an older one");
    check_equal(watched.next_second(0), std::string("none"), "an older one, later");
    check(watched.text().find("older") != std::string::npos, "text: {}", watched.text());
    write_store(path, small_world(7));
    check_equal(watched.next_second(0), std::string("7"), "brought up to date");
}

// What was served before counts until something newer comes.
void overwritten_by_an_older_copy() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(5));
    write_store(directory / "older", small_world(4));
    Watched watched({path});
    check_equal(watched.next_second(), std::string("5"), "before");
    overwrite(path + "/data.mdb", 0, read_file(directory / "older/data.mdb"));
    for (int second = 0; second < 4; ++second) {
        check_equal(watched.next_second(), std::string("none"), "overwritten");
    }
    const std::string told = watched.told();
    check(told == "opened lost" || told == "opened lost lost", "told {}", told);
    write_store(path, small_world(6));
    check_equal(watched.next_second(), std::string("6"), "brought up to date");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(served_breaks_beside_an_older),
        UNIT_TEST(replaced_by_a_broken_one),
        UNIT_TEST(given_up),
        UNIT_TEST(broken_while_open),
        UNIT_TEST(lock_file_replaced),
        UNIT_TEST(lock_file_cut_while_open),
        UNIT_TEST(data_file_exchanged_beside_its_lock),
        UNIT_TEST(overwritten_by_an_older_copy),
    };
    return cmocka_run_group_tests_name("store_table_fault", tests, nullptr, nullptr);
}
