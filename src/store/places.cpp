#include "token_auth/places.hpp"

#include <new>

namespace token_auth {
namespace {

// No page of LMDB is smaller, and each begins with a header of this size.
constexpr std::uintptr_t page_size = 4096;
constexpr std::uintptr_t page_header = 16;

}  // namespace

Places::~Places() {
    delete[] sets_;
}

void Places::init(unsigned set_bits) noexcept {
    if (sets_ == nullptr) {
        sets_ = new (std::nothrow) Set[std::size_t{1} << set_bits]();
        shift_ = 64 - set_bits;
    }
}

std::uint64_t Places::hash(std::string_view key) noexcept {
    // Eight bytes at a time, the last ones overlapping. Who chooses keys that meet in one set gains
    // nothing by it: what is not remembered is looked up in the tree.
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    const std::size_t size = key.size();
    std::uint64_t result = size;
    const auto mix = [&](std::uint64_t bytes) {
        result = (result ^ bytes) * odd;
        result ^= result >> 32;
    };
    std::uint64_t bytes = 0;
    if (size < sizeof(bytes)) {
        for (const char c : key) {
            bytes = (bytes << 8) | static_cast<unsigned char>(c);
        }
        mix(bytes);
        return result * odd;
    }
    for (std::size_t i = 0; i + sizeof(bytes) < size; i += sizeof(bytes)) {
        std::memcpy(&bytes, key.data() + i, sizeof(bytes));
        mix(bytes);
    }
    std::memcpy(&bytes, key.data() + size - sizeof(bytes), sizeof(bytes));
    mix(bytes);
    return result * odd;
}

void Places::remember(std::string_view key, std::uint64_t hash, std::string_view value) noexcept {
    const std::uintptr_t in_page = reinterpret_cast<std::uintptr_t>(value.data()) % page_size;
    if (sets_ == nullptr || in_page < page_header + key.size() ||
        in_page + value.size() > page_size ||
        std::memcmp(value.data() - key.size(), key.data(), key.size()) != 0) {
        return;
    }
    Set& set = sets_[index(hash)];
    if (set.epoch != epoch_) {
        set = Set{};
        set.epoch = epoch_;
    }
    // The one remembered first goes.
    set.places[2] = set.places[1];
    set.places[1] = set.places[0];
    set.places[0] = {value.data(), static_cast<std::uint32_t>(hash),
                     static_cast<std::uint16_t>(value.size()),
                     static_cast<std::uint16_t>(key.size())};
}

}  // namespace token_auth
