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
    static constexpr bool contains(char c) noexcept { return members[byte(c)] != 0; }

    // Also for an empty text.
    static bool contains_all(std::string_view text) noexcept {
        unsigned all = 1;
        const char* at = text.data();
        const char* const end = at + text.size();
        if (text.size() >= 8) {  // every request has a token of some fifty bytes
            for (; end - at >= 16; at += 16) {
                all &= eight(at) & eight(at + 8);
            }
            return (all & (end - at > 8 ? eight(at) : 1U) & eight(end - 8)) != 0;
        }
        for (; at != end; ++at) {
            all &= members[byte(*at)];
        }
        return all != 0;
    }

  private:
    static constexpr std::size_t byte(char c) noexcept { return static_cast<unsigned char>(c); }

    static unsigned eight(const char* at) noexcept {
        return members[byte(at[0])] & members[byte(at[1])] & members[byte(at[2])] &
               members[byte(at[3])] & members[byte(at[4])] & members[byte(at[5])] &
               members[byte(at[6])] & members[byte(at[7])];
    }

    static constexpr std::array<unsigned char, 256> make() noexcept {
        std::array<unsigned char, 256> set{};
        for (const std::string_view some :
             {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"}) {
            for (const char c : some) {
                set[byte(c)] = 1;
            }
        }
        ((set[byte(others)] = 1), ...);
        return set;
    }

    static constexpr std::array<unsigned char, 256> members = make();
};

}  // namespace token_auth
