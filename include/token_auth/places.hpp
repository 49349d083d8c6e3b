// Where the records of one snapshot were found, so that the next request for them need not walk
// down the tree: two cache lines or three rather than a dozen, and one page of the map rather than
// four.
//
// Nothing is copied: a place is a pointer into the memory map, and whoever follows it compares the
// key that stands there. All places are void with the next commit (forget()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace token_auth {

class Places {
  public:
    Places() noexcept = default;
    ~Places();
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    // Takes 2^set_bits sets of three places. Without memory nothing is remembered, and all else
    // goes on.
    void init(unsigned set_bits) noexcept;

    // Voids all of them.
    void forget() noexcept { ++epoch_; }

    // A number for a key, to be handed to find() and remember().
    static std::uint64_t hash(std::string_view key) noexcept;

    // The same for a key of at least nine bytes that are random but for the first one.
    static std::uint64_t hash_of_random(std::string_view key) noexcept {
        std::uint64_t result = 0;
        std::memcpy(&result, key.data() + 1, sizeof(result));
        return result;
    }

    // The value, or an empty view. Reads the memory map, so it belongs into a guarded call.
    std::string_view find(std::string_view key, std::uint64_t hash) const noexcept {
        if (sets_ == nullptr || sets_[index(hash)].epoch != epoch_) {
            return {};
        }
        for (const Place& place : sets_[index(hash)].places) {
            if (place.check == static_cast<std::uint32_t>(hash) && place.key_size == key.size() &&
                std::memcmp(place.value - place.key_size, key.data(), place.key_size) == 0) {
                return {place.value, place.value_size};
            }
        }
        return {};
    }

    // Remembers a value that stands right behind its key, both in one page, as LMDB places all but
    // large ones. Reads the memory map, too.
    void remember(std::string_view key, std::uint64_t hash, std::string_view value) noexcept;

  private:
    struct Place {
        const char* value;
        std::uint32_t check;
        std::uint16_t value_size;
        std::uint16_t key_size;  // 0: there is none here
    };
    // One cache line.
    struct alignas(64) Set {
        std::uint64_t epoch;
        Place places[3];
    };

    std::size_t index(std::uint64_t hash) const noexcept {
        return static_cast<std::size_t>(hash >> shift_);
    }

    Set* sets_ = nullptr;
    unsigned shift_ = 0;
    std::uint64_t epoch_ = 1;
};

}  // namespace token_auth
