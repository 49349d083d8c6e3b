#include "store/page_reader.hpp"

#include <algorithm>

#include "token_auth/load.hpp"

namespace token_auth {
namespace {

constexpr std::size_t page_flags_at = 10;
constexpr std::size_t page_lower_at = 12;
constexpr std::size_t overflow_pages_at = 12;
constexpr std::size_t page_header = 16;
constexpr unsigned kind_bits = 0x6f;
constexpr unsigned branch_page = 0x01;
constexpr unsigned leaf_page = 0x02;
constexpr unsigned overflow_page = 0x04;
constexpr unsigned meta_page = 0x08;

constexpr std::size_t meta_magic_at = 16;
constexpr std::size_t meta_version_at = 20;
constexpr std::size_t meta_page_size_at = 40;
constexpr std::size_t meta_free_at = 40;
constexpr std::size_t meta_last_page_at = 136;
constexpr std::size_t meta_end = 152;
constexpr std::uint32_t meta_magic = 0xbeefc0de;
constexpr std::uint32_t data_version = 1;

constexpr std::size_t tree_entries_at = 32;
constexpr std::uint64_t no_page = UINT64_MAX;

constexpr std::size_t node_header = 8;
constexpr std::size_t node_key_size_at = 6;
constexpr std::size_t key_size = 8;
constexpr std::size_t node_min = node_header + key_size;
constexpr std::uint64_t child_bits = (std::uint64_t{1} << 48) - 1;
constexpr unsigned value_is_elsewhere = 0x01;

constexpr std::size_t page_size_min = 256;
constexpr std::size_t page_size_max = 0x8000;                      // MAX_PAGESIZE in mdb.c
constexpr std::uint64_t first_other_key = std::uint64_t{1} << 63;  // above all tokens
constexpr int steps_max = 6;

}  // namespace

struct PageReader::Page {
    const char* at;
    std::size_t lower;  // the nodes begin there at the earliest
    std::size_t room;   // and that much behind it at the latest, if they have a key

    std::size_t count() const noexcept { return (lower - page_header) / 2; }

    // False if the node, with its key, is not in the page.
    bool node(std::size_t index, const char*& out) const noexcept {
        return node_within(index, room, out);
    }
    // The first node of a branch page has no key.
    bool first_node(const char*& out) const noexcept {
        return node_within(0, room + key_size, out);
    }

  private:
    bool node_within(std::size_t index, std::size_t last, const char*& out) const noexcept {
        const std::size_t offset = load_once<std::uint16_t>(at + page_header + 2 * index);
        out = at + offset;
        return offset - lower <= last;
    }
};

Tree PageReader::tree_at(const char* at) noexcept {
    const std::uint64_t head = word(at);
    Tree tree;
    tree.flags = static_cast<std::uint16_t>(head >> 32);
    tree.depth = static_cast<std::uint16_t>(head >> 48);
    tree.entries = word(at + tree_entries_at);
    tree.root = word(at + tree_root_at);
    return tree;
}

const char* PageReader::open(const char* map, std::size_t size) noexcept {
    constexpr const char* truncated = "data.mdb is truncated";
    constexpr const char* not_lmdb = "data.mdb is no LMDB file";
    page_count_ = 0;
    token_share_ = 1;
    if (size < meta_end) {
        return truncated;
    }
    if (load_once<std::uint32_t>(map + meta_magic_at) != meta_magic ||
        (load_once<std::uint16_t>(map + page_flags_at) & meta_page) == 0) {
        return not_lmdb;
    }
    if (load_once<std::uint32_t>(map + meta_version_at) != data_version) {
        return "data.mdb was written by another version of LMDB than 0.9";
    }
    const std::size_t page_size = load_once<std::uint32_t>(map + meta_page_size_at);
    if (page_size < page_size_min || page_size > page_size_max ||
        (page_size & (page_size - 1)) != 0) {
        return not_lmdb;
    }
    if (size / page_size < 2) {
        return truncated;
    }
    if (load_once<std::uint32_t>(map + page_size + meta_magic_at) != meta_magic ||
        load_once<std::uint32_t>(map + page_size + meta_version_at) != data_version) {
        return not_lmdb;
    }
    map_ = map;
    page_size_ = page_size;
    page_count_ = size / page_size;
    return nullptr;
}

Commit PageReader::newest() const noexcept {
    const std::uint64_t first = word(map_ + meta_transaction_at);
    const std::uint64_t second = word(map_ + page_size_ + meta_transaction_at);
    Commit commit;
    commit.transaction = std::max(first, second);
    const char* const meta = meta_of(commit);
    commit.main = tree_at(meta + meta_main_at);
    commit.last_page = word(meta + meta_last_page_at);
    return commit;
}

Tree PageReader::free_pages(const Commit& commit) const noexcept {
    return tree_at(meta_of(commit) + meta_free_at);
}

inline bool PageReader::page(std::uint64_t number, unsigned kind, Page& out) const noexcept {
    if (number >= page_count_) {
        return false;
    }
    out.at = map_ + number * page_size_;
    out.lower = load_once<std::uint16_t>(out.at + page_lower_at);
    out.room = page_size_ - node_min - out.lower;
    return load_once<std::uint64_t>(out.at) == number &&
           (load_once<std::uint16_t>(out.at + page_flags_at) & kind_bits) == kind &&
           out.room <= page_size_ - node_min - (page_header + 2);  // one node at least
}

// Signed numbers are quicker to convert, both ways.
inline double number(std::uint64_t of) noexcept {
    return static_cast<double>(static_cast<std::int64_t>(of));
}

// At what part of a page, 0 to 1, a key would be if all were spread evenly, as digests are.
inline double PageReader::guess(const Range& range, std::uint64_t key) noexcept {
    return number((key - range.low) >> 1) / (number((range.high - range.low) >> 1) + 1);
}

// The node there.
inline std::size_t PageReader::index_of(double part, std::size_t count) noexcept {
    const auto index = static_cast<std::int64_t>(part * number(count));
    return std::min(static_cast<std::size_t>(index), count - 1);
}

// Finds the last node whose key is at or below the key, and the range of the keys around it. It
// steps from the guess, and bisects after some steps, as keys may be spread unevenly. The first
// node of a branch page has no key, and is below all. `above` is the index behind it, and `node`
// null if there is none.
template <bool is_leaf>
inline bool PageReader::search(const Page& page, std::size_t probe, std::uint64_t key, Range& range,
                               std::size_t& above, const char*& node) const noexcept {
    std::size_t low = is_leaf ? 0 : 1;
    std::size_t high = page.count();
    node = nullptr;
    probe = std::max(probe, low);
    for (int steps = steps_max; low < high;) {
        const char* at = nullptr;
        if (!page.node(probe, at)) {
            return false;
        }
        const auto other = load_once<std::uint64_t>(at + node_header);
        if (other <= key) {
            node = at;
            range.low = other;
            low = ++probe;
            if (is_leaf && other == key) {
                break;
            }
        } else {
            range.high = other;
            high = probe--;
        }
        if (--steps < 0) {
            probe = low + (high - low) / 2;
        }
    }
    above = low;
    if (!is_leaf) {
        return node != nullptr || page.first_node(node);
    }
    return node == nullptr || load_once<std::uint16_t>(node + node_key_size_at) == key_size;
}

Found PageReader::find(const Tree& tree, std::uint64_t key,
                       std::string_view& value) const noexcept {
    if (tree.root == no_page) {
        return Found::absent;
    }
    if (tree.depth == 0 || tree.depth > depth_max) {
        return Found::torn;
    }
    const bool is_token = key < first_other_key;
    Range range = is_token ? Range{0, first_other_key} : Range{first_other_key, UINT64_MAX};
    // In the root, only a share of the entries are of the key's sort.
    double part = guess(range, key);
    part = is_token ? part * token_share_ : token_share_ + part * (1 - token_share_);
    std::uint64_t number = tree.root;
    Page page;
    std::size_t above = 0;
    const char* node = nullptr;
    for (unsigned left = tree.depth - 1U; left != 0; --left) {
        if (!this->page(number, branch_page, page) ||
            !search<false>(page, index_of(part, page.count()), key, range, above, node)) {
            return Found::torn;
        }
        number = load_once<std::uint64_t>(node) & child_bits;
        part = guess(range, key);
    }
    if (!this->page(number, leaf_page, page) ||
        !search<true>(page, index_of(part, page.count()), key, range, above, node)) {
        return Found::torn;
    }
    return node == nullptr || range.low != key ? Found::absent : value_of(page, node, value);
}

inline Found PageReader::value_of(const Page& page, const char* node,
                                  std::string_view& value) const noexcept {
    const auto head = load_once<std::uint64_t>(node);
    const std::size_t size = head & UINT32_MAX;
    const unsigned flags = (head >> 32) & 0xffff;
    const char* const begin = node + node_min;
    const auto room = static_cast<std::size_t>(page.at + page_size_ - begin);
    if (flags == 0) {
        value = {begin, size};
        return size <= room ? Found::found : Found::torn;
    }
    if (flags != value_is_elsewhere || room < sizeof(std::uint64_t)) {
        return Found::torn;
    }
    const auto number = load_once<std::uint64_t>(begin);
    if (number >= page_count_) {
        return Found::torn;
    }
    const char* const first = map_ + number * page_size_;
    const std::uint64_t pages = load_once<std::uint32_t>(first + overflow_pages_at);
    value = {first + page_header, size};
    return load_once<std::uint64_t>(first) == number &&
                   (load_once<std::uint16_t>(first + page_flags_at) & kind_bits) == overflow_page &&
                   pages <= page_count_ - number && page_header + size <= pages * page_size_
               ? Found::found
               : Found::torn;
}

struct PageReader::Walk {
    std::uint64_t from;  // keys that follow are at or above it
    Visitor call;
    void* visitor;
    unsigned depth;             // of the tree
    std::uint64_t visited = 0;  // pages: a damaged tree may lead around in circles
    bool ended = false;
};

Found PageReader::scan_with(const Tree& tree, std::uint64_t from, Visitor call,
                            void* visitor) const noexcept {
    if (tree.root == no_page) {
        return Found::found;
    }
    if (tree.depth == 0 || tree.depth > depth_max) {
        return Found::torn;
    }
    Walk state{from, call, visitor, tree.depth};
    return walk(tree.root, 0, state);
}

// Of a page and all below it.
Found PageReader::walk(std::uint64_t number, unsigned depth, Walk& walk) const noexcept {
    const bool is_leaf = depth + 1 == walk.depth;
    Page page;
    if (++walk.visited > page_count_ ||
        !this->page(number, is_leaf ? leaf_page : branch_page, page)) {
        return Found::torn;
    }
    const std::size_t count = page.count();
    Range range{0, UINT64_MAX};
    std::size_t above = 0;
    const char* node = nullptr;
    if (!(is_leaf ? search<true>(page, count / 2, walk.from, range, above, node)
                  : search<false>(page, count / 2, walk.from, range, above, node))) {
        return Found::torn;
    }
    // The first node of interest: at or below `from` in a branch, at or above it in a leaf.
    std::size_t index = above == 0 ? 0 : above - 1;
    if (is_leaf && node != nullptr && range.low != walk.from) {
        index = above;
    }
    for (; index < count && !walk.ended; ++index) {
        if (!(is_leaf || index != 0 ? page.node(index, node) : page.first_node(node))) {
            return Found::torn;
        }
        if (!is_leaf) {
            const std::uint64_t child = load_once<std::uint64_t>(node) & child_bits;
            if (this->walk(child, depth + 1, walk) == Found::torn) {
                return Found::torn;
            }
            continue;
        }
        const auto key = load_once<std::uint64_t>(node + node_header);
        std::string_view value;
        if (load_once<std::uint16_t>(node + node_key_size_at) != key_size || key < walk.from ||
            value_of(page, node, value) != Found::found) {
            return Found::torn;
        }
        walk.ended = !walk.call(walk.visitor, key, value) || key == UINT64_MAX;
        walk.from = key + 1;
    }
    return Found::found;
}

}  // namespace token_auth
