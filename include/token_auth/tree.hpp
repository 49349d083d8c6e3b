// Looks keys up in a snapshot's tree of pages, as mdb_get() does, but guesses where in a page a key
// stands rather than bisecting it: digests are spread evenly, so that two or three keys of a page
// are read instead of six or seven, and each of these is a wait for memory where tokens come at
// random.
//
// Where a page is not what the layout says, the answer is `unsure`, and
// mdb_get() is to be asked. So it is on machines with another layout (not of 64 bits, or
// big-endian).
//
// Source: the layout of LMDB 0.9's data files (MDB_DATA_VERSION 1): MDB_page, MDB_node and MDB_meta
// in mdb.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace token_auth {

class Tree {
  public:
    enum class Found : std::uint8_t { found, absent, unsure };

    // Takes the main database's tree as of a snapshot, by its number (mdb_txn_id), the sizes of a
    // page and of the map in bytes, and a key that mdb_get() has found in that snapshot, with its
    // value. Where the tree does not lead to the same value, all is unsure. Reads the memory map.
    void settle(std::size_t snapshot, std::size_t page_size, std::size_t map_size,
                std::string_view key, std::string_view value) noexcept;

    // Whether the snapshot's root is still where it was: a file that was overwritten by a copy of
    // as many commits may have another. Reads the memory map.
    bool is_current() const noexcept;

    // All is unsure from now on. To be called before the snapshot's end or a move of the map.
    void leave() noexcept { base_ = nullptr; }

    bool is_settled() const noexcept { return base_ != nullptr; }

    // found: `value` is a view of the map. absent: every page on the way down is sound, and the key
    // is not there. Reads the memory map, so it belongs into a guarded call.
    Found find(std::string_view key, std::string_view& value) noexcept;

  private:
    static constexpr unsigned depth_max = 32;   // CURSOR_STACK of mdb.c
    static constexpr unsigned beginnings = 16;  // by the lowest bits of a key's first byte

    // What the page last read at a depth looked like: the next one will look much the same, where
    // it holds keys that begin alike.
    struct Shape {
        unsigned count = 0;
        std::size_t node_size = 0;
        unsigned deviation = 1;  // nodes
        void take(unsigned nodes, std::size_t used) noexcept;
        void prefetch(const char* page, std::size_t page_size, double part) const noexcept;
    };

    // The leaves below a page stand side by side in the file after a load, and many still do after
    // changes. So the first one tells where the others may be. Nothing depends on its being true: a
    // wrong guess costs three lines of memory.
    struct Row {
        std::uint32_t parent = 0;
        std::uint32_t first_leaf = 0;
    };
    static constexpr std::size_t row_count = 4096;

    static std::size_t row_of(std::uint64_t parent) noexcept;
    void prefetch_leaf(std::uint64_t parent, double index) const noexcept;

    const char* base_ = nullptr;  // of the map
    const char* root_at_ = nullptr;
    std::size_t page_size_ = 0;
    std::uint64_t root_ = 0;
    std::uint64_t last_ = 0;  // page
    Shape shapes_[beginnings][depth_max];
    unsigned leaf_depth_ = 0;  // where the last leaf was; 0: none was below another page
    Row rows_[row_count];      // by the parent's page number
};

}  // namespace token_auth
