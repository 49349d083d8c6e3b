// Looks keys up in LMDB's pages, trusting no byte of them: the writer may be changing them, and the
// file may be damaged. What does not fit is torn. Whoever asks finds out whether the answer counts,
// by asking is_newest() afterwards.
//
// The layout is that of LMDB 0.9 (MDB_DATA_VERSION 1; MDB_page, MDB_node, MDB_meta and MDB_db in
// mdb.c) on 64-bit little-endian machines, for trees with MDB_INTEGERKEY:
//
//   every page       0  8 page number
//                    8  2 unused
//                   10  2 flags: 1 branch, 2 leaf, 4 overflow, 8 meta
//   branch and leaf 12  2 end of the nodes' offsets     14  2 begin of the nodes
//                   16    offsets of the nodes, 2 each, in the order of their keys;
//                         the nodes stand at the page's end, in any order
//   overflow        12  4 number of pages, this and the next ones; 16 a value
//   meta, pages     16  4 magic number    20  4 data version    24  8 address    32  8 size of the
//   map 0 and 1         40    tree of the free pages; its first 4 bytes are the size of a page
//                   88    main tree
//                  136  8 last page      144  8 transaction; the page is of transaction modulo 2
//   tree             0  4 unused          4  2 flags             6  2 depth
//                    8 24 counts of pages
//                   32  8 entries        40  8 root, or all ones
//   branch's node    0  6 page            6  2 size of the key    8  8 key; the first node has none
//   leaf's node      0  4 size of value   4  2 flags: 1 the value is elsewhere
//                    6  2 size of the key 8  8 key
//                   16    value, or the number of the overflow page that holds it
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/store.hpp"

namespace token_auth {

struct Tree {
    std::uint64_t root = 0;
    std::uint64_t entries = 0;
    std::uint16_t depth = 0;
    std::uint16_t flags = 0;
};

inline constexpr std::uint16_t tree_integer_key = 0x08;
inline constexpr std::uint16_t tree_flags_known =
    0x7e;  // reverse keys, duplicates and their like, too

// What a meta page says of the transaction that committed it.
struct Commit {
    std::uint64_t transaction = 0;
    std::uint64_t last_page = 0;
    Tree main{};
};

class PageReader {
  public:
    // Takes a mapped file, which must be there for as long as anything is asked. Returns what is
    // wrong with it; null: nothing.
    const char* open(const char* map, std::size_t size) noexcept;

    std::size_t page_size() const noexcept { return page_size_; }
    // Whether a page of this number is in the map.
    bool holds(std::uint64_t page) const noexcept { return page < page_count_; }

    Commit newest() const noexcept;
    // Whether its main tree may be one: not if there is noise in the meta page.
    bool fits(const Commit& commit) const noexcept {
        return (commit.main.flags & ~tree_flags_known) == 0 && commit.main.depth != 0 &&
               commit.main.depth <= depth_max && holds(commit.main.root) && holds(commit.last_page);
    }
    // The tree of free pages: transactions, and the pages that each of them freed.
    Tree free_pages(const Commit& commit) const noexcept;
    // Whether it is still newest(). No read before moves behind it.
    bool is_newest(const Commit& commit) const noexcept;

    // What part of the keys, 0 to 1, are tokens' ones: where to look for them in the root.
    void set_token_share(double share) noexcept { token_share_ = share; }

    // found: `value` is a view of the map.
    Found find(const Tree& tree, std::uint64_t key, std::string_view& value) const noexcept;

    // Visits entries in the order of their keys, from `from` on, until the visitor (`bool
    // (std::uint64_t key, std::string_view value)`) says false. found: it did, or all were visited.
    template <typename Visit>
    Found scan(const Tree& tree, std::uint64_t from, Visit visit) const noexcept {
        return scan_with(
            tree, from,
            [](void* visitor, std::uint64_t key, std::string_view value) noexcept {
                return (*static_cast<Visit*>(visitor))(key, value);
            },
            &visit);
    }

  private:
    struct Page;
    struct Walk;
    using Visitor = bool (*)(void* visitor, std::uint64_t key, std::string_view value);
    // Between which keys a page's keys are.
    struct Range {
        std::uint64_t low;
        std::uint64_t high;
    };
    static constexpr unsigned depth_max = 32;  // CURSOR_STACK in mdb.c

    static constexpr std::size_t meta_main_at = 88;
    static constexpr std::size_t meta_transaction_at = 144;
    static constexpr std::size_t tree_root_at = 40;

    // Aligned: the writer's stores are seen whole, and the compiler does not merge two reads.
    static std::uint64_t word(const char* at) noexcept {
        return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(at), __ATOMIC_RELAXED);
    }
    static Tree tree_at(const char* at) noexcept;
    static double guess(const Range& range, std::uint64_t key) noexcept;
    static std::size_t index_of(double part, std::size_t count) noexcept;

    // The meta page that a commit was written to.
    const char* meta_of(const Commit& commit) const noexcept {
        return map_ + (commit.transaction % 2) * page_size_;
    }
    bool page(std::uint64_t number, unsigned kind, Page& out) const noexcept;
    template <bool is_leaf>
    bool search(const Page& page, std::size_t probe, std::uint64_t key, Range& range,
                std::size_t& above, const char*& node) const noexcept;
    Found value_of(const Page& page, const char* node, std::string_view& value) const noexcept;
    Found scan_with(const Tree& tree, std::uint64_t from, Visitor call,
                    void* visitor) const noexcept;
    Found walk(std::uint64_t number, unsigned depth, Walk& walk) const noexcept;

    const char* map_ = nullptr;
    std::size_t page_size_ = 0;
    std::uint64_t page_count_ = 0;
    double token_share_ = 1;
};

inline bool PageReader::is_newest(const Commit& commit) const noexcept {
    std::atomic_thread_fence(std::memory_order_acquire);
    // The number may be visible before the root, which then is that of N-2. So the root counts too,
    // and is read first: behind the numbers it might be N+2's, in the same page as N-2's (t/model).
    const std::uint64_t root = word(meta_of(commit) + meta_main_at + tree_root_at);
    std::atomic_thread_fence(std::memory_order_acquire);
    const std::uint64_t first = word(map_ + meta_transaction_at);
    const std::uint64_t second = word(map_ + page_size_ + meta_transaction_at);
    return root == commit.main.root && (first > second ? first : second) == commit.transaction;
}

}  // namespace token_auth
