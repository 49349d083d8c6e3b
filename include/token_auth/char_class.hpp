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
    static bool contains_all(std::string_view text) noexcept {
        bool all = true;
        std::size_t i = 0;
        for (; i + 4 <= text.size(); i += 4) {  // every request has some hundred bytes
            all &= contains(text[i]) & contains(text[i + 1]) & contains(text[i + 2]) &
                   contains(text[i + 3]);
        }
        for (; i < text.size(); ++i) {
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
