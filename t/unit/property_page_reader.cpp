// Whatever liblmdb writes, the page reader reads as mdb_get and a cursor do.
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "lmdb_file.hpp"
#include "store/page_reader.hpp"

namespace token_auth {
namespace {

using unit::LmdbFile;
using unit::Mapped;

std::array<unsigned, 8> depths_seen{};
unsigned overflow_seen = 0;

// What kind of store it is.
struct Shape {
    long page_size;
    unsigned keys;     // how they are spread
    unsigned values;   // how large they are
    unsigned rounds;   // transactions
    unsigned puts;     // in each
    unsigned removed;  // of 100, in each
    std::uint64_t seed;
};

std::uint64_t drawn_key(std::mt19937_64& random, unsigned keys) {
    const std::uint64_t number = random();
    switch (keys) {
        case 0:
            return number >> 1;  // evenly spread, as tokens'
        case 1:
            return number % 3 == 0 ? number | (std::uint64_t{1} << 63) : number >> 1;
        case 2:
            return number % 4096;  // dense
        case 3:
            return (number % 5) << 60 | (number >> 8) % 1000;  // in lumps
        case 4:
            return UINT64_MAX - number % 70000;  // reserved ones
        default:
            return number >> (number % 64);
    }
}

std::size_t drawn_size(std::mt19937_64& random, unsigned values, std::size_t page_size) {
    switch (values) {
        case 0:
            return 60 + random() % 60;
        case 1:
            return random() % 8;
        case 2:
            return random() % (page_size / 2);
        default:
            return random() % 10 == 0 ? random() % (3 * page_size) : random() % 40;
    }
}

std::string value_of(std::mt19937_64& random, std::size_t size) {
    std::string value(size, '\0');
    for (char& byte : value) {
        byte = static_cast<char>(random());
    }
    return value;
}

struct Visited {
    std::vector<std::pair<std::uint64_t, std::string>> entries;
};

auto visitor(Visited& visited) {
    return [&](std::uint64_t key, std::string_view value) {
        visited.entries.emplace_back(key, value);
        return true;
    };
}

void compare(LmdbFile& file, const std::set<std::uint64_t>& keys, std::mt19937_64& random,
             const Shape& shape) {
    const Mapped map(file.data());
    PageReader reader;
    RC_ASSERT(reader.open(map.data(), map.size()) == nullptr);
    RC_ASSERT(reader.page_size() == static_cast<std::size_t>(shape.page_size));
    if (random() % 2 == 0) {
        reader.set_token_share(static_cast<double>(random() % 101) / 100);
    }
    const Commit commit = reader.newest();
    RC_ASSERT(reader.is_newest(commit));
    RC_ASSERT(commit.main.entries == keys.size());
    ++depths_seen[std::min<std::size_t>(commit.main.depth, depths_seen.size() - 1)];
    file.write([&](MDB_txn* txn) {
        RC_ASSERT(mdb_txn_id(txn) == commit.transaction + 1);
        const auto same = [&](std::uint64_t key) {
            std::string_view expected;
            std::string_view got;
            const bool there = LmdbFile::get(txn, key, expected);
            const Found found = reader.find(commit.main, key, got);
            RC_ASSERT(found == (there ? Found::found : Found::absent));
            RC_ASSERT(got == expected);
            overflow_seen += expected.size() > reader.page_size() ? 1 : 0;
        };
        for (const std::uint64_t key : keys) {
            same(key);
            same(key + 1);
            same(key - 1);
        }
        for (int i = 0; i < 200; ++i) {
            same(drawn_key(random, shape.keys));
        }
        for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{1} << 63, UINT64_MAX}) {
            same(key);
        }
    });
    const std::uint64_t from = keys.empty() ? 0 : drawn_key(random, shape.keys);
    Visited all;
    Visited some;
    const Found scanned_all = reader.scan(commit.main, 0, visitor(all));
    const Found scanned_some = reader.scan(commit.main, from, visitor(some));
    RC_ASSERT(scanned_all == Found::found);
    RC_ASSERT(scanned_some == Found::found);
    RC_ASSERT(all.entries.size() == keys.size());
    RC_ASSERT(std::equal(keys.begin(), keys.end(), all.entries.begin(),
                         [](std::uint64_t key, const auto& entry) { return key == entry.first; }));
    RC_ASSERT(some.entries.size() ==
              static_cast<std::size_t>(std::distance(keys.lower_bound(from), keys.end())));
    RC_ASSERT(std::equal(some.entries.rbegin(), some.entries.rend(), all.entries.rbegin()));
}

void reads_like_lmdb(const Shape& shape) {
    std::mt19937_64 random(shape.seed);
    unit::set_page_size(shape.page_size);
    LmdbFile file;
    unit::set_page_size(0);
    std::set<std::uint64_t> keys;
    for (unsigned round = 0; round < shape.rounds; ++round) {
        file.write([&](MDB_txn* txn) {
            std::vector<std::uint64_t> drawn(shape.puts);
            std::generate(drawn.begin(), drawn.end(),
                          [&] { return drawn_key(random, shape.keys); });
            if (random() % 3 == 0) {
                std::sort(drawn.begin(), drawn.end());
            }
            for (const std::uint64_t key : drawn) {
                const std::size_t size =
                    drawn_size(random, shape.values, static_cast<std::size_t>(shape.page_size));
                LmdbFile::put(txn, key, value_of(random, size));
                keys.insert(key);
            }
            for (auto key = keys.begin(); key != keys.end();) {
                const bool remove = random() % 100 < shape.removed;
                if (remove) {
                    LmdbFile::remove(txn, *key);
                }
                key = remove ? keys.erase(key) : std::next(key);
            }
        });
    }
    compare(file, keys, random, shape);
}

// Pages of 256 bytes are no real ones; with them, trees grow deep of few keys.
Shape drawn_shape() {
    Shape shape;
    shape.page_size = *rc::gen::element<long>(256, 512, 4096, 8192, 16384, 32768);
    shape.keys = *rc::gen::inRange(0U, 6U);
    shape.values = *rc::gen::inRange(0U, 4U);
    shape.rounds = *rc::gen::inRange(1U, 6U);
    shape.puts = *rc::gen::element(0U, 1U, 3U, 40U, 400U, 2000U);
    shape.removed = *rc::gen::element(0U, 0U, 3U, 30U, 80U, 100U);
    shape.seed = *rc::gen::arbitrary<std::uint64_t>();
    return shape;
}

bool all_seen() {
    for (std::size_t depth = 1; depth <= 5; ++depth) {
        if (depths_seen[depth] == 0) {
            std::fprintf(stderr, "no tree of depth %zu was drawn\n", depth);
            return false;
        }
    }
    return overflow_seen != 0;
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    bool ok =
        rc::check("any store is read like LMDB reads it", [] { reads_like_lmdb(drawn_shape()); });
    // What chance may leave out: each depth, and values of several pages.
    ok = rc::check("stores of each depth, and large values, are read like LMDB reads them",
                   [] {
                       const auto seed = *rc::gen::arbitrary<std::uint64_t>();
                       for (const unsigned puts : {2U, 10U, 100U, 600U}) {
                           reads_like_lmdb({256, 1, 0, 1, puts, 0, seed});
                       }
                       reads_like_lmdb({256, 1, 0, 3, 3000, 3, seed});
                       reads_like_lmdb({4096, 0, 3, 2, 400, 30, seed});
                   }) &&
         ok;
    return ok && all_seen() ? 0 : 1;
}
