// The walk through a store's pages: whatever they hold, nothing beyond them is read, and what is
// found stands in a page right behind the key.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "fuzz.hpp"
#include "token_auth/tree.hpp"

namespace token_auth::fuzz {
namespace {

// The smallest there are, so that many fit in an input.
constexpr std::size_t page_size = 256;
constexpr std::size_t page_header = 16;
constexpr std::size_t root = 2;
constexpr std::size_t sound_pages = 4;
constexpr std::size_t snapshot = 6;
constexpr std::uint16_t branch_page = 1;
constexpr std::uint16_t leaf_page = 2;
constexpr std::string_view sound_key = "\xff\xff";

struct Free {
    void operator()(char* memory) const { std::free(memory); }
};

template <typename Integer>
void put(char* at, Integer value) {
    std::memcpy(at, &value, sizeof(value));
}

void put_page(char* page, std::uint16_t kind) {
    put(page + 10, kind);
    put(page + 12, std::uint16_t{page_header});
    put(page + 14, std::uint16_t{page_size});
}

// Puts a node below the last one: of a leaf with the size of its value, of a branch with the number
// of its page.
char* put_node(char* page, std::uint32_t number, std::string_view key, std::string_view value) {
    std::uint16_t lower = 0;
    std::uint16_t upper = 0;
    std::memcpy(&lower, page + 12, sizeof(lower));
    std::memcpy(&upper, page + 14, sizeof(upper));
    upper = static_cast<std::uint16_t>(upper - (8 + key.size() + value.size() + 1) / 2 * 2);
    put(page + lower, upper);
    put(page + 12, static_cast<std::uint16_t>(lower + 2));
    put(page + 14, upper);
    char* const node = page + upper;
    put(node, number);
    put(node + 6, static_cast<std::uint16_t>(key.size()));
    std::memcpy(node + 8, key.data(), key.size());
    std::memcpy(node + 8 + key.size(), value.data(), value.size());
    return node + 8 + key.size();
}

// As mapped: two meta pages, a root, and a leaf that the root leads to for one key, which are
// sound; and what it leads to for all others, which is what the input says, but for numbers of
// pages.
class Image {
  public:
    Image(std::string_view pages, std::uint8_t child)
        : count_(sound_pages + (pages.size() + page_size - 1) / page_size),
          bytes_(static_cast<char*>(std::aligned_alloc(page_size, count_ * page_size))) {
        std::memset(bytes_.get(), 0, count_ * page_size);
        if (!pages.empty()) {
            std::memcpy(page(sound_pages), pages.data(), pages.size());
        }
        for (std::size_t i = 0; i < count_; ++i) {
            put(page(i), std::uint64_t{i});
        }
        for (std::size_t i = 0; i < root; ++i) {
            put(page(i) + 16, std::uint32_t{0xbeefc0de});
            put(page(i) + 20, std::uint32_t{1});
            put(page(i) + 128, std::uint64_t{root});
            put(page(i) + 136, std::uint64_t{count_ - 1});
            put(page(i) + 144, std::uint64_t{snapshot});
        }
        put_page(page(root), branch_page);
        put_node(page(root), child, "", "");
        put_node(page(root), root + 1, sound_key, "");
        put_page(page(root + 1), leaf_page);
        sound_value_ = {put_node(page(root + 1), 1, sound_key, "v"), 1};
    }

    std::string_view view() const { return {bytes_.get(), count_ * page_size}; }
    std::string_view sound_value() const { return sound_value_; }

  private:
    char* page(std::size_t number) { return bytes_.get() + number * page_size; }

    std::size_t count_;
    std::unique_ptr<char, Free> bytes_;
    std::string_view sound_value_;
};

void look_up(Tree& tree, const Image& image, std::string_view key) {
    const std::string_view all = image.view();
    const Exact exact(key);
    std::string_view value;
    if (tree.find(exact.view(), value) != Tree::Found::found) {
        return;
    }
    require(!value.empty() && value.data() >= all.data() + key.size() &&
                value.data() + value.size() <= all.data() + all.size(),
            "a value is of the map");
    const auto at = static_cast<std::size_t>(value.data() - all.data());
    require(at / page_size == (at + value.size() - 1) / page_size, "a value is in one page");
    require(all.substr(at - key.size(), key.size()) == key, "a value stands behind its key");
}

}  // namespace
}  // namespace token_auth::fuzz

// The number of the page below the root, the length of a key, the key, and pages; what is looked up
// besides are pieces of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    if (size < 2 || size - 2 < data[1]) {
        return 0;
    }
    const std::string_view key = text_of(data, size).substr(2, data[1]);
    const Image image(text_of(data, size).substr(2 + key.size()), data[0]);
    token_auth::Tree tree;
    const std::string_view all = image.view();
    tree.settle(snapshot, page_size, all.size(), sound_key, image.sound_value());
    require(tree.is_settled(), "a tree is settled");
    look_up(tree, image, key);
    for (std::size_t at = sound_pages * page_size + 24; at + 40 < all.size(); at += 7) {
        look_up(tree, image, all.substr(at, key.empty() ? 9 : key.size()));
    }
    return 0;
}
