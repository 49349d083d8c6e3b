// Sets of bytes.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace token_auth {

// Letters and digits of ASCII, and the given bytes.
template <char... others>
class CharClass {
  public:
    static constexpr bool contains(char c) noexcept {
        return members[static_cast<unsigned char>(c)];
    }

    // Also for an empty text.
    static constexpr bool contains_all(std::string_view text) noexcept {
        bool all = true;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < text.size(); ++i) {
            all &= contains(text[i]);
        }
        return all;
    }

  private:
    static constexpr std::array<bool, 256> make() noexcept {
        std::array<bool, 256> set{};
        for (const std::string_view some :
             {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"}) {
            for (const char c : some) {
                set[static_cast<unsigned char>(c)] = true;
            }
        }
        ((set[static_cast<unsigned char>(others)] = true), ...);
        return set;
    }

    static constexpr std::array<bool, 256> members = make();
};

}  // namespace token_auth
