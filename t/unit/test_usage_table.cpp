// The table of last uses: what a cursor tells, what is lost, and writers beside each other.
#include "nginx/usage_table.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

namespace token_auth::unit {
namespace {

using nginx::UsageCursor;
using nginx::UsageTable;
using nginx::Use;

constexpr std::uint64_t epoch = 7;

struct World {
    struct alignas(64) Entry {
        char bytes[UsageTable::entry_size];
    };
    explicit World(std::size_t count) : entries(count), table(entries.data(), count, epoch) {}

    // A token's tag is its number: tokens with the same last digits compete for places.
    void use(std::uint64_t token, std::int64_t time = 1, std::string_view address = "192.0.2.1") {
        const Use noted = use_of(token, time, address);
        table.note(&noted, 1);
    }

    static Use use_of(std::uint64_t token, std::int64_t time = 1,
                      std::string_view address = "192.0.2.1") {
        Use out{};
        out.tag = token;
        out.time = time;
        out.set_id(fmt::format("t{}", token));
        check(parse_address(address, out.address), "address {}", address);
        return out;
    }

    // What a whole round says: "t1 x3".
    std::map<std::string, std::uint64_t> round(UsageCursor& cursor) {
        std::map<std::string, std::uint64_t> out;
        while (!table.read(
            cursor, [&](const Use& each) { out[std::string(each.id_view())] += each.count; })) {
        }
        return out;
    }

    std::vector<Entry> entries;
    UsageTable table;
};

using Counts = std::map<std::string, std::uint64_t>;

void check_counts(const Counts& got, const Counts& want, std::string_view what) {
    std::string text;
    for (const auto& [id, count] : got) {
        text += fmt::format(" {} x{}", id, count);
    }
    check(got == want, "{}: got{}", what, text);
}

void cursors() {
    World world(1024);
    UsageCursor first;
    check_counts(world.round(first), {}, "an empty table");
    world.use(1);
    world.use(1);
    world.use(2);
    UsageCursor second = first;
    check_counts(world.round(second), {{"t1", 2}, {"t2", 1}}, "what was used");
    UsageCursor again = first;
    check_counts(world.round(again), {{"t1", 2}, {"t2", 1}}, "asking clears nothing");
    world.use(1);
    UsageCursor lost = first;
    check_counts(world.round(lost), {{"t1", 3}, {"t2", 1}}, "an answer that did not arrive");
    world.use(1);
    UsageCursor third = lost;
    check_counts(world.round(third), {{"t1", 1}}, "only what is new");
    world.use(2);
    check_counts(world.round(third), {{"t2", 1}}, "the older uses are confirmed");
    check_counts(world.round(third), {}, "nothing is new");
    UsageCursor whole;
    check_counts(world.round(whole), {{"t1", 4}, {"t2", 2}}, "without a cursor, the whole table");
    check_equal(world.table.lost(), 0U, "lost");
}

void what_a_use_says() {
    World world(1024);
    const std::string longest(64, 'x');
    Use noted{};
    noted.tag = 1;
    noted.time = 5;
    noted.set_id(longest);
    world.table.note(&noted, 1);
    world.use(2, 9, "192.0.2.7");
    world.use(2, 8, "2001:db8::1");
    UsageCursor cursor;
    std::map<std::uint64_t, std::string> got;
    world.table.read(cursor, [&](const Use& use) {
        got[use.id_view() == longest ? 1 : 2] =
            fmt::format("{} {} {:02x}", use.time, use.address.family, use.address.bytes[0]);
    });
    check_equal(got[1], "5 0 00", "the longest id, without an address");
    check_equal(got[2], "9 6 20", "the latest time, and the last address");
}

void uses_noted_together() {
    World world(4);
    std::vector<Use> uses;
    for (const std::uint64_t token : {1, 2, 1, 3, 4, 1}) {
        uses.push_back(World::use_of(token));
    }
    world.table.note(uses.data(), uses.size());
    UsageCursor cursor;
    check_counts(world.round(cursor), {{"t1", 3}, {"t2", 1}, {"t3", 1}, {"t4", 1}}, "each counts");
    check_equal(world.table.lost(), 0U, "none is lost");
    uses = {World::use_of(5), World::use_of(6)};
    world.table.note(uses.data(), uses.size());
    check_equal(world.table.lost(), 2U,
                "each that makes another one lose its place counts as well");
}

void overflow() {
    World world(4);
    for (std::uint64_t token = 1; token <= 4; ++token) {
        world.use(token);
    }
    check_equal(world.table.lost(), 0U, "there is room for four");
    world.use(5);
    check_equal(world.table.lost(), 1U, "one lost its place");
    UsageCursor cursor;
    check_equal(world.round(cursor).size(), 4U, "four are told of");
    world.use(6);
    check_equal(world.table.lost(), 2U, "told of, but not confirmed");
    world.round(cursor);
    world.round(cursor);
    world.use(7);
    check_equal(world.table.lost(), 2U, "confirmed");
    world.use(8);
    check_counts(world.round(cursor), {{"t7", 1}, {"t8", 1}}, "the oldest ones made room");
}

void rounds_in_parts() {
    constexpr std::size_t count = 16384;
    World world(count);
    const std::uint64_t last = count - 1;
    world.use(1);
    world.use(last);
    UsageCursor cursor;
    Counts got;
    const auto visit = [&](const Use& use) { got[std::string(use.id_view())] += use.count; };
    check(!world.table.read(cursor, visit), "the round is not over");
    check_counts(got, {{"t1", 1}}, "the first part");
    check(world.table.is_possible(cursor), "its cursor is good");
    world.use(1);
    world.use(last);
    check(world.table.read(cursor, visit), "the round is over");
    check_counts(got, {{"t1", 1}, {fmt::format("t{}", last), 1}}, "what was used before it began");
    got = world.round(cursor);
    check_counts(got, {{"t1", 1}, {fmt::format("t{}", last), 1}}, "what was used meanwhile");
    UsageCursor future{1000, 0, 0};
    check(!world.table.is_possible(future), "a cursor that nobody gave");
    future = {0, 1, count};
    check(!world.table.is_possible(future), "nor behind the end");
}

void a_writer_that_died() {
    World world(4);
    world.use(1);
    // Its entry stays locked: the version, which comes first, is odd.
    for (World::Entry& entry : world.entries) {
        if (entry.bytes[0] != 0) {
            entry.bytes[0] = 1;
        }
    }
    world.use(1);
    world.use(1);
    UsageCursor cursor;
    check_counts(world.round(cursor), {{"t1", 2}}, "the token has another place");
    world.round(cursor);
    check_equal(world.table.lost(), 1U, "what stood in the first one is lost, once");
    for (World::Entry& entry : world.entries) {
        entry.bytes[0] = 1;
    }
    world.use(2);
    check_equal(world.table.lost(), 2U, "no place is left");
}

void more_uses_than_can_be_counted() {
    constexpr std::uint32_t noted = 3;
    constexpr std::uint32_t most = UINT32_MAX;
    World world(4);
    for (std::uint32_t i = 0; i < noted; ++i) {
        world.use(1);
    }
    for (World::Entry& entry : world.entries) {  // as if it were that many
        for (std::size_t at = 0; at < sizeof(entry.bytes); at += sizeof(most)) {
            if (std::memcmp(entry.bytes + at, &noted, sizeof(noted)) == 0) {
                std::memcpy(entry.bytes + at, &most, sizeof(most));
            }
        }
    }
    world.use(1);
    UsageCursor cursor;
    check_counts(world.round(cursor), {{"t1", most}}, "no less than were noted");
    world.use(1);
    UsageCursor whole;
    check_counts(world.round(whole), {{"t1", most + std::uint64_t{1}}}, "with later ones");
}

void writers_beside_each_other() {
    constexpr std::uint64_t writers = 4;
    constexpr std::uint64_t uses = 100000;
    constexpr std::uint64_t tokens = 16;
    constexpr std::uint64_t together = 5;
    World world(1024);
    std::atomic<unsigned> running{writers};
    std::vector<std::thread> threads;
    for (std::uint64_t writer = 0; writer < writers; ++writer) {
        threads.emplace_back([&] {
            std::vector<Use> noted;
            for (std::uint64_t i = 0; i < uses; ++i) {
                Use use = World::use_of(1 + i % tokens, static_cast<std::int64_t>(i));
                use.tag *= 4;
                // An address that tells if half of it is another's.
                use.address.family = 6;
                use.address.bytes.fill(static_cast<std::uint8_t>(i));
                noted.push_back(use);
                if (noted.size() == together) {
                    world.table.note(noted.data(), noted.size());
                    noted.clear();
                }
            }
            --running;
        });
    }
    std::uint64_t told = 0;
    std::uint64_t rounds = 0;
    std::uint64_t torn = 0;
    std::map<std::string, std::int64_t> latest;
    UsageCursor cursor;
    for (bool last = false; !last; ++rounds) {
        last = running == 0;
        world.table.read(cursor, [&](const Use& use) {
            told += use.count;
            std::int64_t& time = latest[std::string(use.id_view())];
            time = std::max(time, use.time);
            for (const std::uint8_t byte : use.address.bytes) {
                torn += byte == use.address.bytes[0] ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const std::uint64_t all = writers * uses;
    fmt::print("{} of {} uses told in {} rounds, {} lost\n", told, all, rounds, world.table.lost());
    check_equal(torn, 0U, "addresses of two uses");
    check(told >= all || world.table.lost() != 0, "told {} and lost {} of {}", told,
          world.table.lost(), all);
    check(told <= all + rounds * writers * together, "told {} of {}", told, all);
    check_equal(latest.size(), tokens, "tokens");
    for (const auto& [id, time] : latest) {
        check(time >= static_cast<std::int64_t>(uses - tokens), "{} was last used at {}", id, time);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(cursors),
        UNIT_TEST(what_a_use_says),
        UNIT_TEST(uses_noted_together),
        UNIT_TEST(overflow),
        UNIT_TEST(rounds_in_parts),
        UNIT_TEST(a_writer_that_died),
        UNIT_TEST(more_uses_than_can_be_counted),
        UNIT_TEST(writers_beside_each_other),
    };
    return cmocka_run_group_tests_name("usage_table", tests, nullptr, nullptr);
}
