// Records to be written and erased in one transaction, held in memory in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace token_auth::store_writer {

// More changes than one transaction should hold; nothing was written.
class TooManyChanges : public std::runtime_error {
  public:
    TooManyChanges() : std::runtime_error("too much of the store changes") {}
};

class ChangeSet {
  public:
    // put() and erase() throw TooManyChanges beyond `changes_max`.
    explicit ChangeSet(std::uint64_t changes_max) : changes_max_(changes_max) {}

    void put(std::string_view key, std::string_view value);
    void erase(std::string_view key);
    void clear() noexcept;

    std::uint64_t changes() const noexcept { return changes_; }
    std::size_t bytes() const noexcept { return bytes_.size(); }

    // Calls put(key, value) and erase(key) of `target`, in the order of the calls here.
    template <typename Target>
    void apply(Target& target) const {
        std::string_view rest = bytes_;
        while (!rest.empty()) {
            const Sizes sizes = take_sizes(rest);
            const std::string_view key = take(rest, sizes.key);
            if (sizes.value == erased) {
                target.erase(key);
            } else {
                target.put(key, take(rest, sizes.value));
            }
        }
    }

  private:
    struct Sizes {
        std::uint32_t key;
        std::uint32_t value;
    };
    static constexpr std::uint32_t erased = UINT32_MAX;  // in place of a value's size

    void append(std::string_view key, std::uint32_t value_size);
    static Sizes take_sizes(std::string_view& rest) noexcept;
    static std::string_view take(std::string_view& rest, std::size_t size) noexcept;

    std::uint64_t changes_max_;
    std::uint64_t changes_ = 0;
    std::string bytes_;  // Sizes, key, value; again and again
};

}  // namespace token_auth::store_writer
