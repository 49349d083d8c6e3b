// Sets of bytes, for texts that every request brings or touches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace token_auth {

// Letters and digits of ASCII, and what is given besides.
template <char... others>
struct Letters {
    static constexpr bool hold(char c) noexcept {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               ((c == others) || ...);
    }

    // Sixteen bytes at a time: token and identifiers are some 140 bytes of each request.
    static bool hold_all(std::string_view text) noexcept {
        constexpr std::size_t step = sizeof(Block);
        if (text.size() < step) {
            return all_ones(held(short_block(text)));
        }
        Block all = held(load<Block>(text.data() + text.size() - step));
        for (std::size_t i = 0; i + step < text.size(); i += step) {
            all &= held(load<Block>(text.data() + i));
        }
        return all_ones(all);
    }

  private:
    // A vector type of GCC's and Clang's, for any processor.
    using Block = std::uint8_t __attribute__((vector_size(16)));

    using Halves = std::uint64_t __attribute__((vector_size(16)));

    template <typename T>
    static T load(const char* at) noexcept {
        T result;
        std::memcpy(&result, at, sizeof(result));
        return result;
    }

    // All of a text of less than 16 bytes, some of it twice; put together in registers.
    static Block short_block(std::string_view text) noexcept {
        const std::size_t size = text.size();
        const char* const begin = text.data();
        std::uint64_t low = 0x3030303030303030;  // zeros, as digits
        std::uint64_t high = low;
        if (size >= 8) {
            low = load<std::uint64_t>(begin);
            high = load<std::uint64_t>(begin + size - 8);
        } else if (size >= 4) {
            low = (std::uint64_t{load<std::uint32_t>(begin)} << 32) |
                  load<std::uint32_t>(begin + size - 4);
        } else {
            for (const char c : text) {
                low = (low << 8) | static_cast<unsigned char>(c);
            }
        }
        return reinterpret_cast<Block>(Halves{low, high});
    }

    // All bits of each byte that is one of them.
    static Block held(Block bytes) noexcept {
        constexpr auto first = static_cast<std::uint8_t>(first_with_digits());
        constexpr auto width = static_cast<std::uint8_t>('9' - first);
        const Block result = ((bytes | 0x20) - 'a' <= 25) | (bytes - first <= width);
        return (result | ... | is_other<others>(bytes));
    }

    template <char other>
    static Block is_other(Block bytes) noexcept {
        if constexpr (other >= first_with_digits() && other < '0') {
            return Block{};  // it was looked for with the digits
        } else {
            return Block(bytes == static_cast<std::uint8_t>(other));
        }
    }

    // The first of those that stand right before the digits, one next to the other.
    static constexpr char first_with_digits() noexcept {
        char first = '0';
        while (((others == first - 1) || ...)) {
            --first;
        }
        return first;
    }

    static bool all_ones(Block block) noexcept {
        const auto halves = reinterpret_cast<Halves>(block);
        return (halves[0] & halves[1]) == UINT64_MAX;
    }
};

}  // namespace token_auth
