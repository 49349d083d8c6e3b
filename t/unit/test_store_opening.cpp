// Stores that are missing, broken, foreign, or out of reach. What must hold: a problem with its
// remedy and no store, never a file that was made or the end of the process.
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "faults.hpp"
#include "scratch.hpp"
#include "token_auth/store.hpp"

namespace token_auth::unit {
namespace {

// Opens in a child: what ends the process must not end the tests.
std::string problem_of_opening(const std::string& path) {
    return in_child([&] {
        Store store;
        const bool opened = store.open(path.c_str());
        std::string text = opened ? "opened" : store.problem();
        if (opened == store.is_open() && !opened == (store.problem()[0] != '\0')) {
            return text;
        }
        return "inconsistent: " + text;
    });
}

void faults_at_opening() {
    const Fault faults[] = {
        {"no directory",
         [](const std::string& path) { std::rename(path.c_str(), (path + "x").c_str()); },
         "tokensync run"},
        {"a file in its place",
         [](const std::string& path) {
             std::rename(path.c_str(), (path + "x").c_str());
             write_file(path, "x");
         },
         "find"},
        {"no data.mdb", [](const std::string& path) { unlink((path + "/data.mdb").c_str()); },
         "tokensync run"},
        {"no lock.mdb", [](const std::string& path) { unlink((path + "/lock.mdb").c_str()); },
         "lock.mdb"},
        {"an empty data.mdb", [](const std::string& path) { write_file(path + "/data.mdb", ""); },
         "tokensync run"},
        {"noise",
         [](const std::string& path) {
             write_file(path + "/data.mdb", noise(file_size(path + "/data.mdb")));
         },
         "tokensync run"},
        {"zero bytes",
         [](const std::string& path) {
             write_file(path + "/data.mdb", std::string(file_size(path + "/data.mdb"), '\0'));
         },
         "tokensync run"},
        {"0xff bytes",
         [](const std::string& path) {
             write_file(path + "/data.mdb", std::string(file_size(path + "/data.mdb"), '\xff'));
         },
         "tokensync run"},
        {"text", [](const std::string& path) { write_file(path + "/data.mdb", "hello\n"); },
         "tokensync run"},
        {"cut off by a page",
         [](const std::string& path) {
             const std::string file = path + "/data.mdb";
             truncate(file.c_str(), static_cast<off_t>(file_size(file) - page));
         },
         "truncated"},
        {"cut off by a byte",
         [](const std::string& path) {
             const std::string file = path + "/data.mdb";
             truncate(file.c_str(), static_cast<off_t>(file_size(file) - 1));
         },
         "truncated"},
        {"cut off after its meta pages",
         [](const std::string& path) {
             truncate((path + "/data.mdb").c_str(), static_cast<off_t>(2 * page));
         },
         "truncated"},
        {"cut off within its meta pages",
         [](const std::string& path) {
             truncate((path + "/data.mdb").c_str(), static_cast<off_t>(page));
         },
         "tokensync run"},
        {"an environment without a database",
         [](const std::string& path) {
             unlink((path + "/data.mdb").c_str());
             const std::string failure = in_child([&] {
                 mdb_env_close(open_for_writing(path, default_map));
                 return std::string();
             });
             if (!failure.empty()) {
                 throw std::runtime_error(failure);
             }
         },
         "holds no token store yet"},
        {"the database of another program",
         [](const std::string& path) {
             WriteOptions options;
             options.replace = true;
             write_store(path, {{"key", "value"}}, options);
         },
         "holds no token store"},
        {"another program's meta",
         [](const std::string& path) {
             rewrite_meta(path, [](std::string& value) { value = "version=3"; });
         },
         "another program"},
        {"another format version",
         [](const std::string& path) {
             rewrite_meta(path, [](std::string& value) { value[6] = 2; });
         },
         "another format version"},
        {"a damaged meta record",
         [](const std::string& path) {
             rewrite_meta(path, [](std::string& value) { value.pop_back(); });
         },
         "meta record is damaged"},
        {"a meta record that promises too much",
         [](const std::string& path) {
             // the number of keys, behind magic, version, three times and five counts
             rewrite_meta(path, [](std::string& value) { value[6 + 2 + 24 + 40] = '\x7f'; });
         },
         "meta record is damaged"},
    };
    for (const Fault& fault : faults) {
        const Directory directory;
        const std::string path = directory / "db";
        write_store(path, small_world(1));
        check_equal(problem_of_opening(path), std::string("opened"), "{}: before", fault.name);
        fault.make(path);
        const std::string problem = problem_of_opening(path);
        check(problem.find(fault.problem) != std::string::npos, "{}: {}", fault.name, problem);
        check(problem.find('\n') == std::string::npos && problem.find("killed") != 0 &&
                  problem.find("ended") != 0,
              "{}: {}", fault.name, problem);
    }
}

// A reader makes no file: modes and group are tokensync's business, and nginx -t leaves nothing.
void nothing_is_made() {
    const Directory directory;
    const std::string path = directory / "db";
    Store store;
    check(!store.open(path.c_str()), "no directory");
    check(!file_exists(path), "a directory was made");

    write_store(path, small_world(1));
    unlink((path + "/lock.mdb").c_str());
    check(!store.open(path.c_str()), "no lock.mdb");
    check(!file_exists(path + "/lock.mdb"), "a lock file was made");

    unlink((path + "/data.mdb").c_str());
    check(!store.open(path.c_str()), "an empty directory");
    check(!file_exists(path + "/data.mdb"), "a data file was made");
    check(!file_exists(path + "/lock.mdb"), "a lock file was made in an empty directory");
}

void unreadable() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    const struct {
        std::string file;
        mode_t mode;
    } rows[] = {
        {path + "/data.mdb", 0000},
        {path + "/lock.mdb", 0000},
        {path + "/lock.mdb", 0440},
        {path, 0000},
    };
    for (const auto& row : rows) {
        struct stat before {};
        stat(row.file.c_str(), &before);
        chmod(row.file.c_str(), row.mode);
        const std::string problem = in_child([&]() -> std::string {
            // root may do everything: give that up, as a worker does
            if (geteuid() == 0 && (chmod(directory.path().c_str(), 0755) != 0 ||
                                   setgid(65534) != 0 || setuid(65534) != 0)) {
                return "give up being root";
            }
            Store store;
            return store.open(path.c_str()) ? "opened" : store.problem();
        });
        check(problem.find("--group") != std::string::npos, "{} of mode {:o}: {}", row.file,
              row.mode, problem);
        chmod(row.file.c_str(), before.st_mode & 07777);
    }
}

void a_long_path() {
    Store store;
    check(!store.open((std::string("/").append(5000, 'x')).c_str()), "a path too long");
    check(store.problem()[0] != '\0', "no problem with a path too long");
    check(!store.open(""), "no path");
    check(store.problem()[0] != '\0', "no problem with no path");
}

// A store that could not be opened can be tried again once it is mended.
void mended() {
    const Directory directory;
    const std::string path = directory / "db";
    Store store;
    check(!store.open(path.c_str()), "opened what is not there");
    write_store(path, small_world(1));
    check(store.open(path.c_str()), "open: {}", store.problem());
    check_equal(std::string_view(store.problem()), std::string_view(), "problem");
    check_equal(Snapshot(store).meta().generation, std::uint64_t{1}, "generation");
}

// The pages behind the meta pages lost, as by a crash of the machine: LMDB notices, and says so.
void lost_pages() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    const std::string file = path + "/data.mdb";
    overwrite(file, 2 * page, std::string(file_size(file) - 2 * page, '\0'));
    const std::string problem = problem_of_opening(path);
    check(problem.find("tokensync run") != std::string::npos, "{}", problem);
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(faults_at_opening), UNIT_TEST(nothing_is_made), UNIT_TEST(unreadable),
        UNIT_TEST(a_long_path),       UNIT_TEST(mended),          UNIT_TEST(lost_pages),
    };
    return cmocka_run_group_tests_name("store_opening", tests, nullptr, nullptr);
}
