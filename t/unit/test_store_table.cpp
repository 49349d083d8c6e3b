// The stores of a process, by path: what is served, and what is told about it, second by second.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/store_table.hpp"
#include "watched.hpp"

namespace token_auth::unit {
namespace {

void no_paths() {
    StoreTable table;
    check(table.init(nullptr, 0), "init() of none");
    table.clear();
    table.clear();
}

void opened_once() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(3));
    Watched watched({path});
    check_equal(watched.next_second(), std::string("3"), "first look");
    check_equal(watched.told(), std::string("opened"), "told");
    check_equal(watched.path(), path, "path told");
    check(watched.text().find('3') != std::string::npos, "text: {}", watched.text());
    for (int i = 0; i < 3; ++i) {
        check_equal(watched.next_second(), std::string("3"), "later");
        check_equal(watched.same_second(), std::string("3"), "once more");
    }
    write_store(path, small_world(4));
    check_equal(watched.same_second(), std::string("4"), "a commit, within the second");
    check_equal(watched.told(), std::string(), "told of nothing new");
}

void lost_and_mended() {
    const Directory directory;
    const std::string path = directory / "db";
    Watched watched({path});
    check_equal(watched.next_second(), std::string("none"), "before there is one");
    check_equal(watched.told(), std::string("lost"), "told at the start");
    check(watched.text().find("tokensync run") != std::string::npos &&
              watched.text().find('\n') == std::string::npos,
          "text: {}", watched.text());
    for (int i = 0; i < 5; ++i) {
        check_equal(watched.next_second(), std::string("none"), "still none");
    }
    check_equal(watched.told(), std::string(), "told once only");

    write_store(path, small_world(1));
    check_equal(watched.same_second(), std::string("none"), "made within the second");
    check_equal(watched.next_second(), std::string("1"), "a second later");
    check_equal(watched.told(), std::string("opened"), "told of the mending");

    move(path, path + ".away");
    check_equal(watched.same_second(), std::string("1"), "moved within the second");
    check_equal(watched.next_second(), std::string("none"), "moved away");
    check_equal(watched.next_second(), std::string("none"), "still away");
    check_equal(watched.told(), std::string("lost"), "told of the loss");
    move(path + ".away", path);
    check_equal(watched.next_second(), std::string("1"), "moved back");
    check_equal(watched.told(), std::string("opened"), "told of the return");
}

// A reason that is another one is told again; one that comes back after a recovery, too.
void reasons() {
    const Directory directory;
    const std::string path = directory / "db";
    Watched watched({path});
    watched.next_second();
    const std::string first = watched.text();
    check_equal(watched.told(), std::string("lost"), "no directory");
    write_store(path, small_world(1));
    unlink((path + "/lock.mdb").c_str());
    check_equal(watched.next_second(), std::string("none"), "no lock file");
    check_equal(watched.told(), std::string("lost"), "another reason");
    check(watched.text() != first && watched.text().find("lock.mdb") != std::string::npos,
          "text: {}", watched.text());
    write_store(path, small_world(2));
    check_equal(watched.next_second(), std::string("2"), "mended");
    move(path, path + ".away");
    check_equal(watched.next_second(), std::string("none"), "the first reason again");
    check_equal(watched.told(), std::string("opened lost"), "told again");
}

void replaced_by_rename() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(5));
    write_store(path + ".new", small_world(6));
    Watched watched({path});
    check_equal(watched.next_second(), std::string("5"), "before");
    watched.told();
    move(path, path + ".old");
    move(path + ".new", path);
    check_equal(watched.same_second(), std::string("5"), "within the second");
    check_equal(watched.told(), std::string(), "told within the second");
    check_equal(watched.next_second(), std::string("6"), "a second later");
    check_equal(watched.told(), std::string("replaced"), "told");
    // What was replaced is not held on to.
    write_store(path + ".old", small_world(9));
    check_equal(watched.next_second(), std::string("6"), "after a commit to the old one");
    write_store(path, small_world(7));
    check_equal(watched.next_second(), std::string("7"), "after a commit to the new one");
    check_equal(watched.told(), std::string(), "told of commits");
}

std::size_t open_files() {
    std::size_t count = 0;
    for (int file = 0; file < 1024; ++file) {
        count += fcntl(file, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

void replaced_by_symlink() {
    const Directory directory;
    const std::string link = directory / "current";
    for (std::uint64_t generation = 1; generation < 5; ++generation) {
        write_store(directory / fmt::format("g{}", generation), small_world(generation));
    }
    swap_link("g1", link);
    Watched watched({link});
    check_equal(watched.next_second(), std::string("1"), "before");
    check_equal(watched.told(), std::string("opened"), "told before");
    const std::size_t files = open_files();
    for (std::uint64_t generation = 2; generation < 5; ++generation) {
        swap_link(fmt::format("g{}", generation), link);
        check_equal(watched.next_second(), std::to_string(generation), "after a swap");
        check_equal(watched.told(), std::string("replaced"), "told of a swap");
        check_equal(open_files(), files, "open files after a swap");
    }
}

// A rebuilt store of the same generation is taken up: only a lower one is behind.
void replaced_by_an_equal() {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "one", small_world(5));
    write_store(directory / "two", small_world(5));
    swap_link("one", link);
    Watched watched({link});
    watched.next_second();
    watched.told();
    swap_link("two", link);
    check_equal(watched.next_second(), std::string("5"), "after the swap");
    check_equal(watched.told(), std::string("replaced"), "told");
}

void older_refused() {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "new", small_world(10));
    write_store(directory / "old", small_world(9));
    swap_link("new", link);
    Watched watched({link});
    check_equal(watched.next_second(), std::string("10"), "before");
    watched.told();
    swap_link("old", link);
    for (int i = 0; i < 4; ++i) {
        check_equal(watched.next_second(), std::string("10"), "an older one in its place");
    }
    check_equal(watched.told(), std::string("older"), "told once");
    check(watched.text().find("10") != std::string::npos &&
              watched.text().find('9') != std::string::npos &&
              watched.text().find("tokensync run") != std::string::npos,
          "text: {}", watched.text());

    // Back to the one being served, then the older one again: that is news.
    swap_link("new", link);
    check_equal(watched.next_second(), std::string("10"), "back");
    check_equal(watched.told(), std::string(), "told of the way back");
    swap_link("old", link);
    check_equal(watched.next_second(), std::string("10"), "older again");
    check_equal(watched.told(), std::string("older"), "told again");
}

// Once it has caught up, the remedy of the refusal must help.
void older_catches_up() {
    const Directory directory;
    const std::string link = directory / "current";
    write_store(directory / "new", small_world(10));
    write_store(directory / "old", small_world(9));
    swap_link("new", link);
    Watched watched({link});
    watched.next_second();
    swap_link("old", link);
    check_equal(watched.next_second(), std::string("10"), "refused");
    watched.told();
    write_store(directory / "old", small_world(11));
    check_equal(watched.next_second(), std::string("11"), "caught up");
    check_equal(watched.told(), std::string("replaced"), "told");
}

void shared_by_two_paths() {
    const Directory directory;
    const std::string path = directory / "db";
    const std::string link = directory / "link";
    write_store(path, small_world(1));
    swap_link("db", link);
    Watched watched({path, link, path});
    for (std::size_t i = 0; i < 3; ++i) {
        check_equal(watched.same_second(i), std::string("1"), "path {}", i);
    }
    check_equal(watched.told(), std::string("opened opened opened"), "told for each path");
    check(watched.store(0) == watched.store(1) && watched.store(1) == watched.store(2),
          "two environments for one store");

    // One path moves on; the others keep what they have.
    write_store(directory / "other", small_world(2));
    swap_link("other", link);
    check_equal(watched.next_second(1), std::string("2"), "the path that moved on");
    check_equal(watched.same_second(0), std::string("1"), "a path that stayed");
    check(watched.store(0) != watched.store(1), "one environment for two stores");
    check(watched.store(0) == watched.store(2), "the others do not share any more");
    check_equal(watched.told(), std::string("replaced"), "told of the one");

    // And back: it shares again.
    write_store(path, small_world(3));
    swap_link("db", link);
    check_equal(watched.next_second(1), std::string("3"), "back again");
    check(watched.store(0) == watched.store(1), "it does not share again");
}

void cleared() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    const char* const paths[] = {path.c_str()};
    const auto deaf = [](void*, StoreEvent, const char*, const char*) {};
    StoreTable table;
    check(table.init(paths, 1), "init");
    check(table.at(0, 1, deaf, nullptr) != nullptr, "open");
    table.clear();
    check(table.init(paths, 1), "init again");
    check(table.at(0, 1, deaf, nullptr) != nullptr, "open again");
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
