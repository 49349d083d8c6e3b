// The page reader: whatever bytes a file holds, nothing beyond them is read, and what is found is
// of them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "fuzz.hpp"
#include "store/page_reader.hpp"

namespace token_auth::fuzz {
namespace {

// The smallest there are, so that many fit in an input.
constexpr std::size_t page_size = 256;

template <typename Integer>
void put(char* at, Integer value) {
    std::memcpy(at, &value, sizeof(value));
}

// As mapped: two meta pages, which are sound, and pages that the input holds, but for their
// numbers. Of just the file's size, so that the sanitizers see every byte read beyond it.
class Image {
  public:
    Image(std::string_view pages, std::uint8_t root, std::uint8_t depth)
        : size_(2 * page_size + pages.size()), bytes_(new char[size_]) {
        std::memset(bytes_.get(), 0, size_);
        std::memcpy(bytes_.get() + 2 * page_size, pages.data(), pages.size());
        for (std::size_t i = 0; i < size_ / page_size; ++i) {
            put(bytes_.get() + i * page_size, std::uint64_t{i});
        }
        for (std::uint64_t i = 0; i < 2; ++i) {
            char* const meta = bytes_.get() + i * page_size;
            put(meta + 10, std::uint16_t{8});
            put(meta + 16, std::uint32_t{0xbeefc0de});
            put(meta + 20, std::uint32_t{1});
            put(meta + 40, std::uint32_t{page_size});
            put(meta + 44, std::uint32_t{8});
            put(meta + 80, std::uint64_t{root});
            put(meta + 92, std::uint16_t{8});
            put(meta + 94, std::uint16_t{depth});
            put(meta + 128, std::uint64_t{root});
            put(meta + 144, i + 6);
        }
    }

    std::string_view view() const { return {bytes_.get(), size_}; }

  private:
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;
};

void require_within(std::string_view value, std::string_view all) {
    require(value.data() >= all.data() && value.data() + value.size() <= all.data() + all.size(),
            "a value is of the map");
}

void read(std::string_view all, std::uint64_t drawn) {
    PageReader reader;
    if (reader.open(all.data(), all.size()) != nullptr) {
        return;
    }
    const Commit commit = reader.newest();
    require(reader.is_newest(commit), "nothing changes it");
    reader.set_token_share(static_cast<double>(drawn % 101) / 100);
    std::uint64_t keys[] = {0, 1, drawn, drawn >> 1, std::uint64_t{1} << 63, UINT64_MAX};
    // Twice: the first look-up leaves behind where it expects nodes.
    for (int turn = 0; turn < 2; ++turn) {
        for (const std::uint64_t key : keys) {
            std::string_view value;
            if (reader.find(commit.main, key, value) == Found::found) {
                require_within(value, all);
            }
        }
        for (std::size_t at = 2 * page_size; at + 8 <= all.size(); at += 6) {
            std::uint64_t key = 0;
            std::memcpy(&key, all.data() + at, sizeof(key));
            std::string_view value;
            if (reader.find(commit.main, key, value) == Found::found) {
                require_within(value, all);
            }
        }
    }
    const auto visit = [&](std::uint64_t /*key*/, std::string_view value) {
        require_within(value, all);
        return true;
    };
    reader.scan(commit.main, drawn, visit);
    reader.scan(reader.free_pages(commit), 0, visit);
}

}  // namespace
}  // namespace token_auth::fuzz

// A key, the root, the depth, and pages; or, if the depth is above 32, a file as it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    constexpr std::size_t head = 10;
    if (size < head) {
        return 0;
    }
    std::uint64_t key = 0;
    std::memcpy(&key, data, sizeof(key));
    const std::string_view rest = text_of(data, size).substr(head);
    if (data[9] > 32) {
        const Exact file(rest);
        read(file.view(), key);
    } else {
        const Image image(rest, data[8], data[9]);
        read(image.view(), key);
    }
    return 0;
}
