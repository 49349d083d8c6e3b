#include "token_auth/tree.hpp"

#include <algorithm>
#include <cstring>

namespace token_auth {
namespace {

// Of a page: its number, flags, and the bounds of its free room, which lies between the offsets of
// the nodes and the nodes.
constexpr std::size_t page_number_at = 0;
constexpr std::size_t page_flags_at = 10;
constexpr std::size_t page_lower_at = 12;
constexpr std::size_t page_upper_at = 14;
constexpr std::size_t page_header = 16;
constexpr unsigned page_kinds = 0x6f;  // the flags that say what a page is
constexpr unsigned branch_page = 0x01;
constexpr unsigned leaf_page = 0x02;

// Of a node: what a leaf's says of its value, or a branch's page number; flags; its key's size.
constexpr std::size_t node_flags_at = 4;
constexpr std::size_t node_key_size_at = 6;
constexpr std::size_t node_header = 8;

// Of a meta page, behind its page header: the second of its two databases is the main one.
constexpr std::size_t meta_magic_at = 16;
constexpr std::size_t meta_version_at = 20;
constexpr std::size_t meta_root_at = 128;
constexpr std::size_t meta_last_page_at = 136;
constexpr std::size_t meta_snapshot_at = 144;
constexpr std::uint32_t meta_magic = 0xbeefc0de;
constexpr std::uint32_t meta_version = 1;

constexpr std::size_t cache_line = 64;
constexpr std::size_t meta_pages = 2;
constexpr std::size_t page_size_min = 256;
constexpr std::size_t page_size_max = 0x8000;  // MAX_PAGESIZE

constexpr bool is_layout_known =
    sizeof(std::size_t) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

template <typename Integer>
Integer load(const char* at) noexcept {
    Integer result;
    std::memcpy(&result, at, sizeof(result));
    return result;
}

// Eight bytes of a key as a number that is greater where the key is, zeros behind its end.
std::uint64_t rank(std::string_view key, std::size_t from) noexcept {
    if (from + sizeof(std::uint64_t) <= key.size()) {
        return __builtin_bswap64(load<std::uint64_t>(key.data() + from));
    }
    std::uint64_t result = 0;
    for (std::size_t i = from; i < from + sizeof(result); ++i) {
        result = (result << 8) | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0U);
    }
    return result;
}

std::size_t common_prefix(std::string_view a, std::string_view b) noexcept {
    const std::size_t size = std::min(a.size(), b.size());
    std::size_t i = 0;
    while (i < size && a[i] == b[i]) {
        ++i;
    }
    return i;
}

class Page {
  public:
    Page(const char* at, std::size_t size) noexcept
        : at_(at), size_(size), lower_(load<std::uint16_t>(at + page_lower_at)) {}

    bool is_sound(std::uint64_t number) const noexcept {
        return load<std::uint64_t>(at_ + page_number_at) == number && lower_ <= size_ &&
               lower_ >= page_header && count() != 0;
    }
    unsigned kind() const noexcept { return load<std::uint16_t>(at_ + page_flags_at) & page_kinds; }
    unsigned count() const noexcept {
        return static_cast<unsigned>((lower_ - page_header) / sizeof(std::uint16_t));
    }

    // Null where it is none.
    const char* node(unsigned index) const noexcept {
        const std::size_t offset = this->offset(index);
        return offset >= lower_ && offset + node_header <= size_ &&
                       offset + node_header +
                               load<std::uint16_t>(at_ + offset + node_key_size_at) <=
                           size_
                   ? at_ + offset
                   : nullptr;
    }

    // Bytes that its nodes take.
    std::size_t used() const noexcept {
        const std::size_t upper = load<std::uint16_t>(at_ + page_upper_at);
        return upper < size_ ? size_ - upper : 0;
    }

    // Of a leaf's node; empty where it is elsewhere, or no value.
    std::string_view value(const char* node, std::size_t key_size) const noexcept {
        const std::size_t value_size = load<std::uint32_t>(node);
        const char* const begin = node + node_header + key_size;
        if (begin > at_ + size_) {
            return {};  // the file is being overwritten
        }
        const auto room = static_cast<std::size_t>(at_ + size_ - begin);
        return load<std::uint16_t>(node + node_flags_at) == 0 && value_size <= room
                   ? std::string_view(begin, value_size)
                   : std::string_view();
    }

  private:
    std::size_t offset(unsigned index) const noexcept {
        return load<std::uint16_t>(at_ + page_header + sizeof(std::uint16_t) * index);
    }

    const char* at_;
    std::size_t size_;
    std::size_t lower_;
};

std::string_view key_of(const char* node) noexcept {
    return {node + node_header, load<std::uint16_t>(node + node_key_size_at)};
}

std::uint64_t child_of(const char* node) noexcept {
    return load<std::uint32_t>(node) |
           (std::uint64_t{load<std::uint16_t>(node + node_flags_at)} << 32);
}

// The keys next to the one that is looked for, as far as they are known: it is not below the first,
// and below the second.
struct Neighbours {
    std::string_view below{};
    std::string_view above{};
};

// A key as it is compared in one page: all keys there begin with what its neighbours share.
struct Wanted {
    std::string_view key;
    std::size_t shared = 0;
    std::uint64_t rank = 0;
    double part = -1;  // of the way from the one neighbour to the other; below 0: not known

    Wanted(std::string_view wanted, const Neighbours& neighbours) noexcept : key(wanted) {
        if (neighbours.below.empty() || neighbours.above.empty()) {
            rank = token_auth::rank(key, 0);
            return;
        }
        shared = common_prefix(neighbours.below, neighbours.above);
        rank = token_auth::rank(key, shared);
        const std::uint64_t below = token_auth::rank(neighbours.below, shared);
        const std::uint64_t above = token_auth::rank(neighbours.above, shared);
        if (below <= rank && rank < above) {
            part = static_cast<double>(rank - below) / static_cast<double>(above - below);
        }
    }

    bool is_from(std::string_view other) const noexcept {
        const std::uint64_t number = token_auth::rank(other, shared);
        return rank != number ? rank > number : key >= other;
    }
};

// The index of the first node, of those from `first` on, whose key is above the key; false where a
// node is none.
bool search(const Page& page, unsigned first, const Wanted& wanted, Neighbours& neighbours,
            unsigned& index) noexcept {
    unsigned low = first;
    unsigned high = page.count();
    // The first look is where the key would be if all were spread evenly, the next ones to the side
    // where it must be, by more and more; as soon as it has been passed, bisection begins.
    bool bisect = wanted.part < 0;
    unsigned probe = low + (high - low) / 2;
    if (!bisect && low < high) {
        probe = low + static_cast<unsigned>(wanted.part * (high - low));
        probe = std::min(probe, high - 1);
    }
    unsigned stride = 0;
    bool went_up = false;
    while (low < high) {
        const char* const node = page.node(probe);
        if (node == nullptr) {
            return false;
        }
        const std::string_view other = key_of(node);
        const bool up = wanted.is_from(other);
        if (up) {
            low = probe + 1;
            neighbours.below = other;
        } else {
            high = probe;
            neighbours.above = other;
        }
        bisect = bisect || (stride != 0 && up != went_up);
        went_up = up;
        stride = stride * 2 + 1;
        if (bisect || stride > high - low) {
            probe = low + (high - low) / 2;
        } else {
            probe = up ? low + stride - 1 : high - stride;
        }
    }
    index = low;
    return true;
}

}  // namespace

void Tree::settle(std::size_t snapshot, std::size_t page_size, std::size_t map_size,
                  std::string_view key, std::string_view value) noexcept {
    leave();
    const bool is_power_of_two = (page_size & (page_size - 1)) == 0;
    if (!is_layout_known || value.empty() || page_size < page_size_min ||
        page_size > page_size_max || !is_power_of_two) {
        return;
    }
    // A leaf has its own number, which leads to the beginning of the map, where two meta pages take
    // turns.
    const char* const leaf =
        value.data() - reinterpret_cast<std::uintptr_t>(value.data()) % page_size;
    const auto number = load<std::uint64_t>(leaf + page_number_at);
    const std::uint64_t pages = map_size / page_size;
    if (Page(leaf, page_size).kind() != leaf_page || number < meta_pages || number >= pages) {
        return;
    }
    const char* const base = leaf - number * page_size;
    const char* const meta = base + (snapshot % meta_pages) * page_size;
    if (load<std::uint32_t>(meta + meta_magic_at) != meta_magic ||
        load<std::uint32_t>(meta + meta_version_at) != meta_version) {
        return;
    }
    root_at_ = meta + meta_root_at;
    root_ = load<std::uint64_t>(root_at_);
    last_ = load<std::uint64_t>(meta + meta_last_page_at);
    page_size_ = page_size;
    if (load<std::uint64_t>(meta + meta_snapshot_at) != snapshot || last_ >= pages) {
        return;
    }
    // The writer, where it is two commits ahead, turns this meta page into that of another
    // snapshot. So the key must be found where mdb_get() found it, which also proves all the above.
    base_ = base;
    std::string_view found;
    if (find(key, found) != Found::found || found.data() != value.data() ||
        found.size() != value.size()) {
        leave();
    }
}

bool Tree::is_current() const noexcept {
    return base_ == nullptr || load<std::uint64_t>(root_at_) == root_;
}

void Tree::Shape::take(unsigned nodes, std::size_t used) noexcept {
    node_size = used / nodes;
    if (nodes != count) {
        count = nodes;
        // Half the square root of their number is what a key in the middle is away from where it
        // would be, among others that are spread evenly: one standard deviation.
        deviation = 1;
        while (4 * deviation * deviation < nodes) {
            ++deviation;
        }
    }
}

// Where nodes were added in the order of their keys, as a load does, they stand one below the other
// from the end of the page. So all that will most likely be read can be asked for at once, rather
// than one wait for memory after another.
void Tree::Shape::prefetch(const char* page, std::size_t page_size, double part) const noexcept {
    if (part < 0) {
        return;
    }
    const auto nodes = static_cast<double>(count);
    const auto size = static_cast<double>(node_size);
    const double room = static_cast<double>(page_size - page_header);
    __builtin_prefetch(page);
    __builtin_prefetch(page + page_header +
                       sizeof(std::uint16_t) * static_cast<std::size_t>(part * nodes));
    const double spread = static_cast<double>(deviation) * size;
    const double middle = (part * nodes + 1) * size;
    const char* const end =
        page + page_size - static_cast<std::size_t>(std::clamp(middle - spread - size, 0.0, room));
    for (const char* line =
             page + page_size - static_cast<std::size_t>(std::min(middle + spread, room));
         line < end; line += cache_line) {
        __builtin_prefetch(line);
    }
}

// Pages above leaves are some hundred pages apart from each other.
std::size_t Tree::row_of(std::uint64_t parent) noexcept {
    constexpr std::uint64_t apart = 64;
    return (parent / apart) % row_count;
}

// The leaf that will be read next, or its neighbour, while the page above it is still on its way:
// its first line and the walk through the page tables are half of what it costs.
void Tree::prefetch_leaf(std::uint64_t parent, double index) const noexcept {
    const Row& row = rows_[row_of(parent)];
    if (row.parent != parent) {
        return;
    }
    const std::uint64_t guess = row.first_leaf + static_cast<std::uint64_t>(index);
    for (std::uint64_t number = guess == 0 ? 0 : guess - 1; number <= guess + 1; ++number) {
        if (number <= last_) {
            __builtin_prefetch(base_ + number * page_size_);
        }
    }
}

Tree::Found Tree::find(std::string_view key, std::string_view& value) noexcept {
    if (base_ == nullptr || key.empty()) {
        return Found::unsure;
    }
    Shape* const shapes = shapes_[static_cast<unsigned char>(key[0]) % beginnings];
    Neighbours neighbours;
    std::uint64_t number = root_;
    for (unsigned depth = 0; depth < depth_max && number <= last_; ++depth) {
        const char* const at = base_ + number * page_size_;
        const Wanted wanted(key, neighbours);
        shapes[depth].prefetch(at, page_size_, wanted.part);
        const bool above_leaves = depth + 1 == leaf_depth_;
        if (above_leaves && wanted.part >= 0) {
            prefetch_leaf(number, wanted.part * shapes[depth].count);
        }
        const Page page(at, page_size_);
        if (!page.is_sound(number)) {
            break;
        }
        shapes[depth].take(page.count(), page.used());
        unsigned above = 0;
        if (page.kind() == leaf_page) {
            leaf_depth_ = depth;
            if (!search(page, 0, wanted, neighbours, above)) {
                break;
            }
            if (above == 0) {
                return Found::absent;
            }
            const char* const node = page.node(above - 1);
            if (node == nullptr) {
                break;
            }
            if (key_of(node) != key) {
                return Found::absent;
            }
            value = page.value(node, key.size());
            return value.empty() ? Found::unsure : Found::found;
        }
        // The first key of a branch is below all, and left out.
        if (page.kind() != branch_page || !search(page, 1, wanted, neighbours, above)) {
            break;
        }
        const char* const node = page.node(above - 1);
        if (node == nullptr) {
            break;
        }
        const std::uint64_t child = child_of(node);
        if (above_leaves && child >= above) {
            rows_[row_of(number)] = {static_cast<std::uint32_t>(number),
                                     static_cast<std::uint32_t>(child - (above - 1))};
        }
        number = child;
    }
    return Found::unsure;
}

}  // namespace token_auth
