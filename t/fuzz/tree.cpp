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
constexpr std::size_t meta_pages = 2;
constexpr std::size_t snapshot = 6;
constexpr std::uint16_t leaf_page = 2;

struct Free {
    void operator()(char* memory) const { std::free(memory); }
};

template <typename Integer>
void put(char* at, Integer value) {
    std::memcpy(at, &value, sizeof(value));
}

// As mapped: two meta pages, which are sound, and pages that are not but for their numbers.
class Image {
  public:
    Image(std::string_view pages, std::uint64_t root)
        : count_(meta_pages + (pages.size() + page_size - 1) / page_size),
          bytes_(static_cast<char*>(std::aligned_alloc(page_size, count_ * page_size))) {
        std::memset(bytes_.get(), 0, count_ * page_size);
        std::memcpy(bytes_.get() + meta_pages * page_size, pages.data(), pages.size());
        for (std::size_t i = 0; i < count_; ++i) {
            put(bytes_.get() + i * page_size, std::uint64_t{i});
        }
        for (std::size_t i = 0; i < meta_pages; ++i) {
            char* const meta = bytes_.get() + i * page_size;
            put(meta + 16, std::uint32_t{0xbeefc0de});
            put(meta + 20, std::uint32_t{1});
            put(meta + 128, root);
            put(meta + 136, std::uint64_t{count_ - 1});
            put(meta + 144, std::uint64_t{snapshot});
        }
    }

    std::string_view view() const { return {bytes_.get(), count_ * page_size}; }

    // Something in a leaf, which the tree is found by; empty where there is none.
    std::string_view value() const {
        for (std::size_t i = meta_pages; i < count_; ++i) {
            std::uint16_t flags = 0;
            std::memcpy(&flags, bytes_.get() + i * page_size + 10, sizeof(flags));
            if (flags == leaf_page) {
                return view().substr(i * page_size + 16, 1);
            }
        }
        return {};
    }

  private:
    std::size_t count_;
    std::unique_ptr<char, Free> bytes_;
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

// The number of the root page, the length of a key, the key, and pages; what is looked up besides
// are pieces of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    if (size < 2 || size - 2 < data[1]) {
        return 0;
    }
    const std::string_view key = text_of(data, size).substr(2, data[1]);
    const Image image(text_of(data, size).substr(2 + key.size()), data[0]);
    token_auth::Tree tree;
    tree.settle(snapshot, page_size, image.value());
    look_up(tree, image, key);
    const std::string_view all = image.view();
    for (std::size_t at = meta_pages * page_size + 24; at + 40 < all.size(); at += 7) {
        look_up(tree, image, all.substr(at, key.empty() ? 9 : key.size()));
    }
    return 0;
}
