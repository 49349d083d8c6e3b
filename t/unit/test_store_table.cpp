// The stores of a process, by path: what is served, and what is told about it, second by second.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "report.hpp"
#include "scratch.hpp"
#include "token_auth/store_table.hpp"
#include "watched.hpp"

namespace token_auth::unit {
namespace {

void no_paths(Report& report) {
    StoreTable table;
    report.check(table.init(nullptr, 0), "init() of none");
    table.clear();
    table.clear();
}

void opened_once(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(3));
    Watched watched({path});
    report.equal(watched.next_second(), std::string("3"), "first look");
    report.equal(watched.told(), std::string("opened"), "told");
    report.equal(watched.path(), path, "path told");
    report.check(watched.text().find('3') != std::string::npos, "text: {}", watched.text());
    for (int i = 0; i < 3; ++i) {
        report.equal(watched.next_second(), std::string("3"), "later");
        report.equal(watched.same_second(), std::string("3"), "once more");
    }
    write_store(path, small_world(4));
    report.equal(watched.same_second(), std::string("4"), "a commit, within the second");
    report.equal(watched.told(), std::string(), "told of nothing new");
}

void lost_and_mended(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    Watched watched({path});
    report.equal(watched.next_second(), std::string("none"), "before there is one");
    report.equal(watched.told(), std::string("lost"), "told at the start");
    report.check(watched.text().find("tokensync run") != std::string::npos &&
                     watched.text().find('\n') == std::string::npos,
                 "text: {}", watched.text());
    for (int i = 0; i < 5; ++i) {
        report.equal(watched.next_second(), std::string("none"), "still none");
    }
    report.equal(watched.told(), std::string(), "told once only");

    write_store(path, small_world(1));
    report.equal(watched.same_second(), std::string("none"), "made within the second");
    report.equal(watched.next_second(), std::string("1"), "a second later");
    report.equal(watched.told(), std::string("opened"), "told of the mending");

    move(path, path + ".away");
    report.equal(watched.same_second(), std::string("1"), "moved within the second");
    report.equal(watched.next_second(), std::string("none"), "moved away");
    report.equal(watched.next_second(), std::string("none"), "still away");
    report.equal(watched.told(), std::string("lost"), "told of the loss");
    move(path + ".away", path);
    report.equal(watched.next_second(), std::string("1"), "moved back");
    report.equal(watched.told(), std::string("opened"), "told of the return");
}

// A reason that is another one is told again; one that comes back after a recovery, too.
void reasons(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    Watched watched({path});
    watched.next_second();
    const std::string first = watched.text();
    report.equal(watched.told(), std::string("lost"), "no directory");
    write_store(path, small_world(1));
    unlink((path + "/lock.mdb").c_str());
    report.equal(watched.next_second(), std::string("none"), "no lock file");
    report.equal(watched.told(), std::string("lost"), "another reason");
    report.check(watched.text() != first && watched.text().find("lock.mdb") != std::string::npos,
                 "text: {}", watched.text());
    write_store(path, small_world(2));
    report.equal(watched.next_second(), std::string("2"), "mended");
    move(path, path + ".away");
    report.equal(watched.next_second(), std::string("none"), "the first reason again");
    report.equal(watched.told(), std::string("opened lost"), "told again");
}

void replaced_by_rename(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(5));
    write_store(path + ".new", small_world(6));
    Watched watched({path});
    report.equal(watched.next_second(), std::string("5"), "before");
    watched.told();
    move(path, path + ".old");
    move(path + ".new", path);
    report.equal(watched.same_second(), std::string("5"), "within the second");
    report.equal(watched.told(), std::string(), "told within the second");
    report.equal(watched.next_second(), std::string("6"), "a second later");
    report.equal(watched.told(), std::string("replaced"), "told");
    // What was replaced is not held on to.
    write_store(path + ".old", small_world(9));
    report.equal(watched.next_second(), std::string("6"), "after a commit to the old one");
    write_store(path, small_world(7));
    report.equal(watched.next_second(), std::string("7"), "after a commit to the new one");
    report.equal(watched.told(), std::string(), "told of commits");
}

std::size_t open_files() {
    std::size_t count = 0;
    for (int file = 0; file < 1024; ++file) {
        count += fcntl(file, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

void replaced_by_symlink(Report& report) {
    const Directory directory;
    const std::string link = directory / "current";
    for (std::uint64_t generation = 1; generation < 5; ++generation) {
        write_store(directory / fmt::format("g{}", generation), small_world(generation));
    }
    swap_link("g1", link);
    Watched watched({link});
    report.equal(watched.next_second(), std::string("1"), "before");
    report.equal(watched.told(), std::string("opened"), "told before");
    const std::size_t files = open_files();
    for (std::uint64_t generation = 2; generation < 5; ++generation) {
        swap_link(fmt::format("g{}", generation), link);
        report.equal(watched.next_second(), std::to_string(generation), "after a swap");
        report.equal(watched.told(), std::string("replaced"), "told of a swap");
        report.equal(open_files(), files, "open files after a swap");
    }
}

// A rebuilt store of the same generation is taken up: only a lower one is behind.
void replaced_by_an_equal(Report& report) {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "one", small_world(5));
    write_store(directory / "two", small_world(5));
    swap_link("one", link);
    Watched watched({link});
    watched.next_second();
    watched.told();
    swap_link("two", link);
    report.equal(watched.next_second(), std::string("5"), "after the swap");
    report.equal(watched.told(), std::string("replaced"), "told");
}

void older_refused(Report& report) {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "new", small_world(10));
    write_store(directory / "old", small_world(9));
    swap_link("new", link);
    Watched watched({link});
    report.equal(watched.next_second(), std::string("10"), "before");
    watched.told();
    swap_link("old", link);
    for (int i = 0; i < 4; ++i) {
        report.equal(watched.next_second(), std::string("10"), "an older one in its place");
    }
    report.equal(watched.told(), std::string("older"), "told once");
    report.check(watched.text().find("10") != std::string::npos &&
                     watched.text().find('9') != std::string::npos &&
                     watched.text().find("tokensync run") != std::string::npos,
                 "text: {}", watched.text());

    // Back to the one being served, then the older one again: that is news.
    swap_link("new", link);
    report.equal(watched.next_second(), std::string("10"), "back");
    report.equal(watched.told(), std::string(), "told of the way back");
    swap_link("old", link);
    report.equal(watched.next_second(), std::string("10"), "older again");
    report.equal(watched.told(), std::string("older"), "told again");
}

// Once it has caught up, the remedy of the refusal must help.
void older_catches_up(Report& report) {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "new", small_world(10));
    write_store(directory / "old", small_world(9));
    swap_link("new", link);
    Watched watched({link});
    watched.next_second();
    swap_link("old", link);
    report.equal(watched.next_second(), std::string("10"), "refused");
    watched.told();
    write_store(directory / "old", small_world(11));
    report.equal(watched.next_second(), std::string("11"), "caught up");
    report.equal(watched.told(), std::string("replaced"), "told");
}

void shared_by_two_paths(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    const std::string link = directory / "link";
    write_store(path, small_world(1));
    swap_link("db", link);
    Watched watched({path, link, path});
    for (std::size_t i = 0; i < 3; ++i) {
        report.equal(watched.same_second(i), std::string("1"), "path {}", i);
    }
    report.equal(watched.told(), std::string("opened opened opened"), "told for each path");
    report.check(watched.store(0) == watched.store(1) && watched.store(1) == watched.store(2),
                 "two environments for one store");

    // One path moves on; the others keep what they have.
    write_store(directory / "other", small_world(2));
    swap_link("other", link);
    report.equal(watched.next_second(1), std::string("2"), "the path that moved on");
    report.equal(watched.same_second(0), std::string("1"), "a path that stayed");
    report.check(watched.store(0) != watched.store(1), "one environment for two stores");
    report.check(watched.store(0) == watched.store(2), "the others do not share any more");
    report.equal(watched.told(), std::string("replaced"), "told of the one");

    // And back: it shares again.
    write_store(path, small_world(3));
    swap_link("db", link);
    report.equal(watched.next_second(1), std::string("3"), "back again");
    report.check(watched.store(0) == watched.store(1), "it does not share again");
}

void cleared(Report& report) {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    const char* const paths[] = {path.c_str()};
    const auto deaf = [](void*, StoreEvent, const char*, const char*) {};
    StoreTable table;
    report.check(table.init(paths, 1), "init");
    report.check(table.at(0, 1, deaf, nullptr) != nullptr, "open");
    table.clear();
    report.check(table.init(paths, 1), "init again");
    report.check(table.at(0, 1, deaf, nullptr) != nullptr, "open again");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(no_paths),
        UNIT_TEST(opened_once),
        UNIT_TEST(lost_and_mended),
        UNIT_TEST(reasons),
        UNIT_TEST(replaced_by_rename),
        UNIT_TEST(replaced_by_symlink),
        UNIT_TEST(replaced_by_an_equal),
        UNIT_TEST(older_refused),
        UNIT_TEST(older_catches_up),
        UNIT_TEST(shared_by_two_paths),
        UNIT_TEST(cleared),
    };
    return cmocka_run_group_tests_name("store_table", tests, nullptr, nullptr);
}
