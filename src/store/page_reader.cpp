#include "store/page_reader.hpp"

#include <algorithm>
#include <atomic>

#include "token_auth/load.hpp"

namespace token_auth {
namespace {

constexpr std::size_t page_flags_at = 10;
constexpr std::size_t page_lower_at = 12;
constexpr std::size_t page_upper_at = 14;
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
constexpr std::size_t meta_main_at = 88;
constexpr std::size_t meta_last_page_at = 136;
constexpr std::size_t meta_transaction_at = 144;
constexpr std::size_t meta_end = 152;
constexpr std::uint32_t meta_magic = 0xbeefc0de;
constexpr std::uint32_t data_version = 1;

constexpr std::size_t tree_flags_at = 4;
constexpr std::size_t tree_entries_at = 32;
constexpr std::size_t tree_root_at = 40;
constexpr std::uint64_t no_page = UINT64_MAX;

constexpr std::size_t node_header = 8;
constexpr std::size_t key_size = 8;
constexpr std::size_t node_min = node_header + key_size;
constexpr std::uint64_t child_bits = (std::uint64_t{1} << 48) - 1;
constexpr unsigned value_is_elsewhere = 0x01;

constexpr std::size_t page_size_min = 256;
constexpr std::size_t page_size_max = 0x8000;  // MAX_PAGESIZE in mdb.c
constexpr std::size_t cache_line = 64;
constexpr std::uint64_t first_other_key = std::uint64_t{1} << 63;  // above all tokens
constexpr unsigned steps_max = 6;

// Aligned: the writer's stores are seen whole, and the compiler does not merge two reads.
std::uint64_t word(const char* at) noexcept {
    return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(at), __ATOMIC_RELAXED);
}

Tree tree_at(const char* at) noexcept {
    const std::uint64_t head = word(at);
    Tree tree;
    tree.flags = static_cast<std::uint16_t>(head >> 32);
    tree.depth = static_cast<std::uint16_t>(head >> 48);
    tree.entries = word(at + tree_entries_at);
    tree.root = word(at + tree_root_at);
    return tree;
}

}  // namespace

struct PageReader::Page {
    const char* at;
    std::size_t size;
    unsigned lower;
    unsigned upper;

    unsigned count() const noexcept { return (lower - unsigned{page_header}) / 2U; }

    // A node's head and place; false if it is not in the page. `least` is its size at least.
    bool node(unsigned index, std::size_t least, std::uint64_t& head,
              const char*& place) const noexcept {
        const std::size_t offset = load<std::uint16_t>(at + page_header + 2 * index);
        if (offset < lower || offset + least > size) {
            return false;
        }
        place = at + offset;
        head = load<std::uint64_t>(place);
        return true;
    }

    bool key(unsigned index, std::uint64_t& out) const noexcept {
        std::uint64_t head = 0;
        const char* place = nullptr;
        if (!node(index, node_min, head, place) || head >> 48 != key_size) {
            return false;
        }
        out = load<std::uint64_t>(place + node_header);
        return true;
    }
};

PageReader::Problem PageReader::open(const char* map, std::size_t size) noexcept {
    page_count_ = 0;
    shapes_ = {};
    token_share_ = 1;
    if (size < meta_end) {
        return Problem::truncated;
    }
    if (load<std::uint32_t>(map + meta_magic_at) != meta_magic ||
        (load<std::uint16_t>(map + page_flags_at) & meta_page) == 0) {
        return Problem::not_lmdb;
    }
    if (load<std::uint32_t>(map + meta_version_at) != data_version) {
        return Problem::other_version;
    }
    const std::size_t page_size = load<std::uint32_t>(map + meta_page_size_at);
    if (page_size < page_size_min || page_size > page_size_max ||
        (page_size & (page_size - 1)) != 0) {
        return Problem::not_lmdb;
    }
    if (size / page_size < 2) {
        return Problem::truncated;
    }
    if (load<std::uint32_t>(map + page_size + meta_magic_at) != meta_magic ||
        load<std::uint32_t>(map + page_size + meta_version_at) != data_version) {
        return Problem::not_lmdb;
    }
    map_ = map;
    page_size_ = page_size;
    page_count_ = size / page_size;
    return Problem::none;
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

bool PageReader::is_newest(const Commit& commit) const noexcept {
    std::atomic_thread_fence(std::memory_order_acquire);
    // The number may be visible before the root, which then is that of N-2. So the root counts too,
    // and is read first: behind the numbers it might be N+2's, in the same page as N-2's (t/model).
    const std::uint64_t root = word(meta_of(commit) + meta_main_at + tree_root_at);
    std::atomic_thread_fence(std::memory_order_acquire);
    const std::uint64_t first = word(map_ + meta_transaction_at);
    const std::uint64_t second = word(map_ + page_size_ + meta_transaction_at);
    return root == commit.main.root && std::max(first, second) == commit.transaction;
}

inline bool PageReader::page(std::uint64_t number, unsigned kind, Page& out) const noexcept {
    if (number >= page_count_) {
        return false;
    }
    out.at = map_ + number * page_size_;
    out.size = page_size_;
    const auto head = load<std::uint64_t>(out.at + 8);
    out.lower = static_cast<std::uint16_t>(head >> 32);
    out.upper = static_cast<std::uint16_t>(head >> 48);
    return load<std::uint64_t>(out.at) == number && ((head >> 16) & kind_bits) == kind &&
           out.lower <= page_size_ && out.lower >= page_header + 2;
}

// Where a key would be if all were spread evenly, as digests are.
class PageReader::Guess {
  public:
    Guess(const Range& range, std::uint64_t key) noexcept
        : part_(std::min(half(key - range.low) / (half(range.high - range.low) + 1), 1.0)) {}

    // In the root, only a share of the entries are of the key's sort.
    void narrow(double first, double last) noexcept { part_ = first + part_ * (last - first); }
    unsigned index(unsigned count) const noexcept {
        return std::min(static_cast<unsigned>(part_ * count), count - 1);
    }

  private:
    // Signed numbers are quicker to convert.
    static double half(std::uint64_t number) noexcept {
        return static_cast<double>(static_cast<std::int64_t>(number >> 1));
    }

    double part_;
};

// A load puts nodes one below the other from the end of the page. So what will most likely be read
// is asked for at once, rather than one wait for memory after another.
inline void PageReader::prefetch(const char* page, const Shape& shape,
                                 unsigned index) const noexcept {
    __builtin_prefetch(page);
    __builtin_prefetch(page + page_header + 2 * index);
    const std::size_t from_end = std::min<std::size_t>(
        static_cast<std::size_t>(index + 1) * shape.node_size, page_size_ - cache_line);
    const char* const node = page + page_size_ - from_end;
    __builtin_prefetch(node);
    __builtin_prefetch(node + std::min<std::size_t>(cache_line, from_end - 1));
}

// `above` is the index of the first node, from `first` on, whose key is above the key; and the
// range becomes that of the keys around it. The next node is the next guess, and after some steps
// bisection, as keys may be spread unevenly.
inline bool PageReader::search(const Page& page, unsigned first, unsigned probe, std::uint64_t key,
                               Range& range, unsigned& above) const noexcept {
    unsigned low = first;
    unsigned high = page.count();
    probe = std::max(probe, low);
    for (unsigned steps = 0; low < high; ++steps) {
        std::uint64_t other = 0;
        if (!page.key(probe, other)) {
            return false;
        }
        const bool up = other <= key;
        if (up) {
            low = probe + 1;
            range.low = other;
            if (other == key) {
                break;
            }
        } else {
            high = probe;
            range.high = std::min(other, range.high);
        }
        probe = steps >= steps_max ? low + (high - low) / 2 : up ? low : high - 1;
    }
    above = low;
    return true;
}

Found PageReader::find(const Tree& tree, std::uint64_t key, std::string_view& value) noexcept {
    if (tree.root == no_page) {
        return Found::absent;
    }
    if (tree.depth == 0 || tree.depth > depth_max) {
        return Found::torn;
    }
    Range range =
        key < first_other_key ? Range{0, first_other_key} : Range{first_other_key, UINT64_MAX};
    std::uint64_t number = tree.root;
    for (unsigned depth = 0; number < page_count_; ++depth) {
        Guess guess(range, key);
        if (depth == 0) {
            key < first_other_key ? guess.narrow(0, token_share_) : guess.narrow(token_share_, 1);
        }
        Shape& shape = shapes_[depth];
        if (shape.count != 0) {
            prefetch(map_ + number * page_size_, shape, guess.index(shape.count));
        }
        const bool is_leaf = depth + 1 == tree.depth;
        Page page;
        if (!this->page(number, is_leaf ? leaf_page : branch_page, page)) {
            break;
        }
        const unsigned count = page.count();
        if (count != shape.count) {
            shape.count = count;
            shape.node_size = static_cast<unsigned>(
                (page_size_ - std::min<std::size_t>(page.upper, page_size_)) / count);
        }
        unsigned above = 0;
        if (!search(page, is_leaf ? 0 : 1, guess.index(count), key, range, above)) {
            break;
        }
        std::uint64_t head = 0;
        const char* node = nullptr;
        if (is_leaf) {
            if (above == 0 || range.low != key) {
                return Found::absent;
            }
            return page.node(above - 1, node_min, head, node) ? value_of(page, head, node, value)
                                                              : Found::torn;
        }
        if (!page.node(above - 1, node_header, head, node)) {
            break;
        }
        number = head & child_bits;
    }
    return Found::torn;
}

Found PageReader::value_of(const Page& page, std::uint64_t node, const char* at,
                           std::string_view& value) const noexcept {
    const std::size_t size = node & UINT32_MAX;
    const unsigned flags = (node >> 32) & 0xffff;
    const char* const begin = at + node_min;
    const auto room = static_cast<std::size_t>(page.at + page_size_ - begin);
    if (flags == 0) {
        value = {begin, size};
        return size <= room ? Found::found : Found::torn;
    }
    if (flags != value_is_elsewhere || room < sizeof(std::uint64_t)) {
        return Found::torn;
    }
    const auto number = load<std::uint64_t>(begin);
    if (number >= page_count_) {
        return Found::torn;
    }
    const char* const first = map_ + number * page_size_;
    const std::uint64_t pages = load<std::uint32_t>(first + overflow_pages_at);
    value = {first + page_header, size};
    return load<std::uint64_t>(first) == number &&
                   (load<std::uint16_t>(first + page_flags_at) & kind_bits) == overflow_page &&
                   pages <= page_count_ - number && page_header + size <= pages * page_size_
               ? Found::found
               : Found::torn;
}

struct PageReader::Walk {
    std::uint64_t from;
    Visit visit;
    void* context;
    unsigned depth;             // of the tree
    std::uint64_t visited = 0;  // pages: a damaged tree may lead around in circles
    std::uint64_t last = 0;     // key
    bool any = false;
    bool ended = false;
};

Found PageReader::scan(const Tree& tree, std::uint64_t from, Visit visit,
                       void* context) const noexcept {
    if (tree.root == no_page) {
        return Found::found;
    }
    if (tree.depth == 0 || tree.depth > depth_max) {
        return Found::torn;
    }
    Walk state{from, visit, context, tree.depth};
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
    const unsigned count = page.count();
    Range range{0, UINT64_MAX};
    unsigned above = 0;
    if (!search(page, is_leaf ? 0 : 1, count / 2, walk.from, range, above)) {
        return Found::torn;
    }
    // The first node of interest: at or below `from` in a branch, at or above it in a leaf.
    unsigned index = above == 0 ? 0 : above - 1;
    if (is_leaf && above != 0 && range.low != walk.from) {
        index = above;
    }
    for (; index < count && !walk.ended; ++index) {
        std::uint64_t head = 0;
        const char* node = nullptr;
        if (!page.node(index, is_leaf ? node_min : node_header, head, node)) {
            return Found::torn;
        }
        if (!is_leaf) {
            if (this->walk(head & child_bits, depth + 1, walk) == Found::torn) {
                return Found::torn;
            }
            continue;
        }
        std::uint64_t key = 0;
        std::string_view value;
        if (!page.key(index, key) || (walk.any && key <= walk.last) ||
            value_of(page, head, node, value) != Found::found) {
            return Found::torn;
        }
        walk.any = true;
        walk.last = key;
        walk.ended = !walk.visit(walk.context, key, value);
    }
    return Found::found;
}

}  // namespace token_auth
