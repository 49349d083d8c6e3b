// The stores of a process: replaced, lost, mended, older ones, and what it tells of them.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "cmocka.hpp"
#include "store_file.hpp"
#include "token_auth/store_pool.hpp"

namespace token_auth {

// What happens at a reader's step, once; 0: nothing.
struct Meanwhile {
    int step = 0;
    int skip = 0;
    std::function<void()> act;
};
Meanwhile meanwhile;

void test_step(int step) {
    if (step == meanwhile.step && meanwhile.skip-- == 0) {
        meanwhile.step = 0;
        meanwhile.act();
    }
}

}  // namespace token_auth

#define TOKEN_AUTH_TEST_STEP(number) test_step(number)
#include "../../src/store/store.cpp"

namespace token_auth {
namespace {

using unit::StoreFile;
using unit::token_of;

// A path that leads to one store or another, as a directory that is exchanged does.
class Path {
  public:
    Path() {
        std::string name = std::filesystem::temp_directory_path() / "token-auth-path-XXXXXX";
        directory_ = mkdtemp(name.data());
        path_ = directory_ + "/db";
    }
    ~Path() { std::filesystem::remove_all(directory_); }
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;

    void lead_to(const char* target) {
        unlink(path_.c_str());
        if (symlink(target, path_.c_str()) != 0) {
            std::abort();
        }
    }
    void lead_nowhere() { unlink(path_.c_str()); }
    const char* text() const { return path_.c_str(); }

  private:
    std::string directory_;
    std::string path_;
};

// What was told last, and how often anything was.
struct Told {
    StoreEvent event = StoreEvent::opened;
    char text[problem_size] = {};
    int count = 0;
};

void listen(void* context, StoreEvent event, const char*, const char* text) {
    auto& told = *static_cast<Told*>(context);
    told.event = event;
    std::snprintf(told.text, sizeof(told.text), "%s", text);
    ++told.count;
}

struct Fixture {
    explicit Fixture(MinGeneration* least = nullptr) : least_(least) {
        first.meta.generation = 100;
        second.meta.generation = 200;
        for (StoreFile* file : {&first, &second}) {
            file->commit([](MDB_txn* txn) { StoreFile::put(txn, token_of("token")); });
        }
    }
    bool start() {
        const char* const paths[] = {path.text()};
        path_text = paths[0];
        return pool.init(&path_text, 1, least_ == nullptr ? nullptr : &least_, listen, &told);
    }
    Lookup read(std::int64_t now, const std::string& text = "token") {
        TokenView token;
        return pool.read(0, now, [&](Snapshot& snapshot) {
            return snapshot.token(unit::digest_of(text), token);
        });
    }
    bool was_told(int count, StoreEvent event, const char* text) const {
        const bool right =
            told.count == count && told.event == event && std::strstr(told.text, text) != nullptr;
        if (!right) {
            print_error("told %d times, last %d: %s\n", told.count, static_cast<int>(told.event),
                        told.text);
        }
        return right;
    }

    StoreFile first;   // generation 101
    StoreFile second;  // generation 201
    Path path;
    const char* path_text = nullptr;
    Told told;
    StorePool pool;

  private:
    MinGeneration* least_;
};

void a_store_is_taken_up_once_it_is_there(void**) {
    Fixture f;
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::broken);
    assert_true(f.was_told(1, StoreEvent::lost, "\" to build the store"));
    assert_int_equal(f.read(2), Lookup::broken);
    assert_int_equal(f.told.count, 1);
    f.path.lead_to(f.first.directory());
    assert_int_equal(f.read(2), Lookup::broken);  // it looks once a second
    assert_int_equal(f.read(3), Lookup::found);
    assert_true(f.was_told(2, StoreEvent::opened, "generation 101"));
}

void a_newer_store_takes_the_place_of_an_older_one(void**) {
    Fixture f;
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    f.path.lead_to(f.second.directory());
    assert_int_equal(f.read(2), Lookup::found);
    assert_true(f.was_told(2, StoreEvent::replaced, "generation 201 after 101"));
    assert_int_equal(f.pool.min_generation(0).load(), 201);
}

void an_older_store_is_never_taken_up(void**) {
    Fixture f;
    f.path.lead_to(f.second.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    f.path.lead_to(f.first.directory());
    // The one at hand is served on for a while, as it is no longer at its path.
    assert_int_equal(f.read(10), Lookup::found);
    assert_true(f.was_told(2, StoreEvent::older, "--rebuild"));
    assert_int_equal(f.read(19), Lookup::found);
    assert_int_equal(f.told.count, 2);
    assert_int_equal(f.read(20), Lookup::broken);
    assert_true(f.was_told(3, StoreEvent::lost, "generation 101, but 201 was served"));
    assert_int_equal(f.read(40), Lookup::broken);
    assert_int_equal(f.told.count, 3);
    // It catches up.
    f.first.meta.generation = 300;
    f.first.commit();
    assert_int_equal(f.read(41), Lookup::found);
    assert_true(f.was_told(4, StoreEvent::opened, "generation 301"));
}

void a_gap_does_not_open_the_way_for_an_older_store(void**) {
    Fixture f;
    f.path.lead_to(f.second.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    f.path.lead_nowhere();
    assert_int_equal(f.read(2), Lookup::found);
    assert_int_equal(f.read(11), Lookup::found);
    assert_int_equal(f.read(12), Lookup::broken);
    assert_true(f.was_told(2, StoreEvent::lost, "No such file"));
    f.path.lead_to(f.first.directory());
    assert_int_equal(f.read(13), Lookup::broken);
    assert_true(f.was_told(3, StoreEvent::lost, "--rebuild"));
    f.path.lead_to(f.second.directory());
    assert_int_equal(f.read(14), Lookup::found);
}

void a_store_that_comes_back_in_time_is_served_without_a_word(void**) {
    Fixture f;
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    for (int turn = 0; turn < 3; ++turn) {
        f.path.lead_nowhere();
        assert_int_equal(f.read(10 * turn + 2), Lookup::found);
        f.path.lead_to(f.first.directory());
        assert_int_equal(f.read(10 * turn + 9), Lookup::found);
    }
    assert_int_equal(f.told.count, 1);
}

void another_process_that_served_a_later_generation_counts(void**) {
    MinGeneration least{150};
    Fixture f(&least);
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::broken);
    assert_true(f.was_told(1, StoreEvent::lost, "generation 101, but 150 was served"));
    f.path.lead_to(f.second.directory());
    assert_int_equal(f.read(2), Lookup::found);
    assert_int_equal(least.load(), 201);
    f.second.meta.generation = 250;
    f.second.commit();
    assert_int_equal(f.read(2), Lookup::found);
    assert_int_equal(least.load(), 251);
}

// Whichever commit of one and the same store others served while this one was opened.
void a_store_is_taken_up_while_commits_go_on(void**) {
    for (int skip = 0; skip < 3; ++skip) {
        MinGeneration least{0};
        Fixture f(&least);
        f.path.lead_to(f.first.directory());
        assert_true(f.start());
        meanwhile = {1, skip, [&] {
                         f.first.commit();
                         least.store(f.first.meta.generation);
                     }};
        assert_int_equal(f.read(1), Lookup::found);
        assert_int_equal(meanwhile.step, 0);
        assert_int_equal(f.read(2), Lookup::found);
        assert_int_equal(f.told.count, 1);
        assert_int_equal(least.load(), 102);
    }
}

void a_mapping_below_what_was_served_is_not_served_on(void**) {
    MinGeneration least{0};
    Fixture f(&least);
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    // In the same second another process moves over to a store that took its place.
    f.path.lead_to(f.second.directory());
    least = 201;
    assert_int_equal(f.read(1), Lookup::found);
    assert_true(f.was_told(2, StoreEvent::replaced, "generation 201"));
    // Without one at the path that is as new, there is nothing to serve.
    least = 500;
    assert_int_equal(f.read(1), Lookup::broken);
    assert_true(f.was_told(3, StoreEvent::lost, "generation 201, but 500 was served"));
    assert_int_equal(f.read(2), Lookup::broken);
    assert_int_equal(f.told.count, 3);
}

void a_generation_ahead_of_the_clock_needs_a_restart(void**) {
    MinGeneration least{4102444800000};  // 2100-01-01
    Fixture f(&least);
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::broken);
    assert_true(f.was_told(1, StoreEvent::lost, "a clock was ahead, restart nginx"));
    least = 500;
    assert_int_equal(f.read(2), Lookup::broken);
    assert_true(f.was_told(2, StoreEvent::lost, "generation 101, but 500 was served"));
    assert_null(std::strstr(f.told.text, "restart nginx"));
}

void a_broken_store_is_dropped_and_taken_up_again_once_mended(void**) {
    Fixture f;
    f.path.lead_to(f.first.directory());
    assert_true(f.start());
    assert_int_equal(f.read(1), Lookup::found);
    assert_int_equal(truncate(f.first.file().data().c_str(), 0), 0);
    assert_int_equal(f.read(1), Lookup::broken);
    assert_true(f.was_told(2, StoreEvent::lost, "truncated"));
    assert_int_equal(f.read(2), Lookup::broken);
    f.path.lead_to(f.second.directory());
    assert_int_equal(f.read(3), Lookup::found);
}

// Writes noise over each page that holds a token's digest.
void damage_pages_of(const std::string& file, const std::string& text) {
    constexpr std::size_t page = 4096;
    const Digest digest = unit::digest_of(text);
    const std::string_view rest(reinterpret_cast<const char*>(digest.data()) + 8, 24);
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(stream)), {});
    for (std::size_t at = content.find(rest); at != std::string::npos;
         at = content.find(rest, at + 1)) {
        stream.clear();
        stream.seekp(static_cast<std::streamoff>(at / page * page));
        stream << std::string(page, '\x5a');
    }
}

void a_damaged_page_costs_its_own_tokens_alone(void**) {
    constexpr int tokens = 500;
    Fixture f;
    f.first.commit([](MDB_txn* txn) {
        for (int i = 0; i < tokens; ++i) {
            StoreFile::put(txn, token_of("t" + std::to_string(i)));
        }
    });
    f.path.lead_to(f.first.directory());
    const bool started = f.start();
    const Lookup before = f.read(1, "t7");
    damage_pages_of(f.first.file().data(), "t7");
    int found = 0;
    int broken = 0;
    for (const std::int64_t second : {1, 2}) {
        for (int i = 0; i < tokens; ++i) {
            const Lookup got = f.read(second, "t" + std::to_string(i));
            found += got == Lookup::found ? 1 : 0;
            broken += got == Lookup::broken ? 1 : 0;
        }
    }
    assert_true(started);
    assert_int_equal(before, Lookup::found);
    assert_int_equal(found + broken, 2 * tokens);
    assert_true(broken > 0 && broken < 2 * 60);  // one leaf's
    assert_true(f.was_told(2, StoreEvent::damaged, "run \"tokensync run --rebuild --db "));
}

void a_mapping_that_another_path_has_is_taken_up_as_it_is_now(void**) {
    StoreFile first;
    StoreFile second;
    first.meta.generation = 100;
    second.meta.generation = 50;
    for (StoreFile* file : {&first, &second}) {
        file->commit([](MDB_txn* txn) { StoreFile::put(txn, token_of("token")); });
    }
    Path path;
    path.lead_to(first.directory());
    const char* const paths[] = {path.text(), second.directory()};
    Told told;
    StorePool pool;
    assert_true(pool.init(paths, 2, nullptr, listen, &told));
    assert_non_null(pool.refresh(0, 1));
    assert_non_null(pool.refresh(1, 1));
    second.meta.generation = 200;
    second.commit();
    path.lead_to(second.directory());
    assert_ptr_equal(pool.refresh(0, 2), pool.refresh(1, 1));
}

void paths_to_one_store_share_its_mapping(void**) {
    StoreFile file;
    file.commit([](MDB_txn* txn) { StoreFile::put(txn, token_of("token")); });
    Path path;
    path.lead_to(file.directory());
    const char* const paths[] = {file.directory(), path.text()};
    Told told;
    StorePool pool;
    assert_true(pool.init(paths, 2, nullptr, listen, &told));
    Store* const first = pool.refresh(0, 1);
    Store* const second = pool.refresh(1, 1);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    pool.mark_unavailable(0, "for a reason");
    assert_null(pool.refresh(0, 1));
    assert_null(pool.refresh(1, 1));
    assert_int_equal(told.count, 4);
    assert_non_null(pool.refresh(1, 2));
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_taken_up_once_it_is_there),
        cmocka_unit_test(a_newer_store_takes_the_place_of_an_older_one),
        cmocka_unit_test(an_older_store_is_never_taken_up),
        cmocka_unit_test(a_gap_does_not_open_the_way_for_an_older_store),
        cmocka_unit_test(a_store_that_comes_back_in_time_is_served_without_a_word),
        cmocka_unit_test(another_process_that_served_a_later_generation_counts),
        cmocka_unit_test(a_store_is_taken_up_while_commits_go_on),
        cmocka_unit_test(a_mapping_below_what_was_served_is_not_served_on),
        cmocka_unit_test(a_generation_ahead_of_the_clock_needs_a_restart),
        cmocka_unit_test(a_broken_store_is_dropped_and_taken_up_again_once_mended),
        cmocka_unit_test(a_damaged_page_costs_its_own_tokens_alone),
        cmocka_unit_test(a_mapping_that_another_path_has_is_taken_up_as_it_is_now),
        cmocka_unit_test(paths_to_one_store_share_its_mapping),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
