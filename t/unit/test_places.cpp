// Places: what is found again, and what must not be.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/places.hpp"
#include "token_auth/store.hpp"

namespace token_auth::unit {
namespace {

constexpr std::size_t page = 4096;
constexpr unsigned few_sets = 2;  // bits

// A page as LMDB lays it out: a value stands right behind its key.
class Page {
  public:
    char* put(std::size_t at, std::string_view key, std::string_view value) {
        std::memcpy(bytes_->data + at, key.data(), key.size());
        std::memcpy(bytes_->data + at + key.size(), value.data(), value.size());
        return bytes_->data + at + key.size();
    }

  private:
    struct alignas(page) Bytes {
        char data[page];
    };
    std::unique_ptr<Bytes> bytes_ = std::make_unique<Bytes>();
};

std::string_view found(const Places& places, std::string_view key) {
    return places.find(key, Places::hash(key));
}

std::string_view remember(Places& places, std::string_view key, std::string_view value) {
    places.remember(key, Places::hash(key), value);
    return found(places, key);
}

void remembered_and_forgotten() {
    Page memory;
    Places places;
    const std::string_view value(memory.put(100, "tkey", "value"), 5);
    check(remember(places, "tkey", value).empty(), "before init()");
    places.init(few_sets);
    check(found(places, "tkey").empty(), "before it was remembered");
    check_equal(remember(places, "tkey", value), std::string_view("value"), "remembered");
    check(found(places, "tkey").data() == value.data(), "the value was copied");
    check(found(places, "tkex").empty(), "another key");
    check(found(places, "tke").empty(), "half a key");
    places.forget();
    check(found(places, "tkey").empty(), "after forget()");
    check_equal(remember(places, "tkey", value), std::string_view("value"), "once more");
}

// Only the key that stands in the map tells what is there.
void overwritten_memory() {
    Page memory;
    Places places;
    places.init(few_sets);
    remember(places, "tkey", {memory.put(100, "tkey", "value"), 5});
    memory.put(100, "tkez", "other");
    check(found(places, "tkey").empty(), "another key stands there now");
}

// A key of the same number is told from the one remembered.
void equal_numbers() {
    Page memory;
    Places places;
    places.init(few_sets);
    places.remember("tone", 7, {memory.put(100, "tone", "1"), 1});
    check(places.find("ttwo", 7).empty(), "another key under the same number");
    places.remember("ttwo", 7, {memory.put(200, "ttwo", "2"), 1});
    check_equal(places.find("tone", 7), std::string_view("1"), "the first of the two");
    check_equal(places.find("ttwo", 7), std::string_view("2"), "the second of the two");
}

// What does not stand behind its key within one page is not remembered: a large value has pages of
// its own, and what stands before it is anything.
void values_elsewhere() {
    Page memory;
    Places places;
    places.init(few_sets);
    check(remember(places, "tkey", {memory.put(0, "tkey", "value"), 5}).empty(),
          "where the page's header is");
    check(remember(places, "tkey", {memory.put(16, "", "value"), 5}).empty(),
          "at the begin of a page, with no room for the key");
    check(remember(places, "tkey", {memory.put(100, "tkez", "value"), 5}).empty(),
          "behind another key");
    check(remember(places, "tkey", {memory.put(page - 8, "tkey", "valu"), 5}).empty(),
          "beyond the end of its page");
    check_equal(remember(places, "tkey", {memory.put(page - 8, "tkey", "valu"), 4}),
                std::string_view("valu"), "up to the end of its page");
    check_equal(remember(places, "tkey", {memory.put(16, "tkey", "value"), 5}),
                std::string_view("value"), "right behind the page's header");
}

// Far more keys than places: each is found as it is or not at all, and the latest one always.
void many_keys() {
    std::vector<Page> pages(8);
    Places places;
    places.init(few_sets);
    std::vector<std::string> keys;
    std::size_t hits = 0;
    for (unsigned i = 0; i < 200; ++i) {
        const std::string key = fmt::format("u{:0{}}", i, 1 + i % 40);
        const std::string value = fmt::format("{:03}", i);
        keys.push_back(key);
        check_equal(
            remember(places, key, {pages[i / 32].put(64 + i % 32 * 96, key, value), value.size()}),
            std::string_view(value), "the latest one");
        for (unsigned j = 0; j < i; ++j) {
            const std::string_view got = found(places, keys[j]);
            hits += got.empty() ? 0 : 1;
            check(got.empty() || got == fmt::format("{:03}", j), "key {} gave {}", j, got);
        }
    }
    check(hits > 0, "none was found again");
}

// A number that depends on every byte of a key, whatever its length.
void numbers() {
    for (std::size_t size = 1; size <= 130; ++size) {
        const std::string key(size, 'k');
        check(Places::hash(key) != Places::hash(key + 'k'), "{} bytes and one more", size);
        for (std::size_t i = 0; i < size; ++i) {
            std::string other = key;
            other[i] = 'l';
            check(Places::hash(key) != Places::hash(other), "byte {} of {}", i, size);
        }
    }
}

// In a store: what a commit changes, adds and takes away is met by the next snapshot, although all
// of it had been found before; the one begun before it keeps what it had.
void across_commits() {
    const Directory directory;
    const std::string path = directory / "db";
    const auto world = [](std::uint64_t generation, bool suspended) {
        std::vector<Entry> entries = small_world(generation);
        entries.push_back(organization_entry("globex", suspended));
        return entries;
    };
    write_store(path, world(1, false));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    for (std::uint64_t generation = 2; generation < 30; ++generation) {
        const bool suspended = generation % 2 == 0;
        Snapshot before(store);
        OrganizationRecord organization;
        for (int i = 0; i < 2; ++i) {
            check_equal(before.organization("globex", organization), Lookup::found, "before");
            check_equal(organization.suspended, !suspended, "suspended, before");
        }
        write_store(path, world(generation, suspended));
        check_equal(before.organization("globex", organization), Lookup::found, "during");
        check_equal(organization.suspended, !suspended, "suspended, during");
        store.is_whole();
        check_equal(before.organization("globex", organization), Lookup::found, "after a look");
        check_equal(organization.suspended, !suspended, "suspended, after a look");
    }
}

void gone_with_a_commit() {
    const Directory directory;
    const std::string path = directory / "db";
    write_store(path, small_world(1));
    Store store;
    check(store.open(path.c_str()), "open: {}", store.problem());
    TokenRecord token;
    for (int i = 0; i < 3; ++i) {
        check_equal(Snapshot(store).token(digest_of("token"), token), Lookup::found, "before");
    }
    WriteOptions replace;
    replace.replace = true;
    write_store(path, {meta_entry(2)}, replace);
    check_equal(Snapshot(store).token(digest_of("token"), token), Lookup::not_found, "after");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(remembered_and_forgotten),
        UNIT_TEST(overwritten_memory),
        UNIT_TEST(equal_numbers),
        UNIT_TEST(values_elsewhere),
        UNIT_TEST(many_keys),
        UNIT_TEST(numbers),
        UNIT_TEST(across_commits),
        UNIT_TEST(gone_with_a_commit),
    };
    return cmocka_run_group_tests_name("places", tests, nullptr, nullptr);
}
