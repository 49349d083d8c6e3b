#include "token_auth/claims.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "token_auth/text.hpp"

namespace token_auth {
namespace {

// The wildcards of a list, found by what stands before their star.
class Wildcards {
  public:
    explicit Wildcards(std::string_view list) noexcept {
        for (std::string_view word = next_word(list); !word.empty(); word = next_word(list)) {
            const std::string_view prefix = word.substr(0, word.size() - 1);
            if (word.back() == '*' && (prefix.empty() || prefix.back() == ':') &&
                count_ < prefixes_.size()) {
                prefixes_[count_++] = {prefix.data(), prefix.size()};
            }
        }
        std::sort(prefixes_.begin(), prefixes_.begin() + count_, is_less);
    }

    bool cover(std::string_view word) const noexcept {
        bool covered = holds({}) && !is_reserved(word);
        for (std::size_t i = 0; i < word.size() && !covered; ++i) {
            covered = word[i] == ':' && holds(word.substr(0, i + 1));
        }
        return covered;
    }

  private:
    // Not a string_view: 64 KiB of those would be zeroed first.
    struct Prefix {
        const char* text;
        std::size_t size;
    };

    static bool is_less(const Prefix& one, const Prefix& other) noexcept {
        return std::string_view(one.text, one.size) < std::string_view(other.text, other.size);
    }
    bool holds(std::string_view prefix) const noexcept {
        return std::binary_search(prefixes_.begin(), prefixes_.begin() + count_,
                                  Prefix{prefix.data(), prefix.size()}, is_less);
    }

    std::array<Prefix, scopes_max / 2> prefixes_;  // not initialized
    std::size_t count_ = 0;
};

}  // namespace

std::size_t effective_scopes_size(const ScopeSets& sets) noexcept {
    // Every effective scope is a word of one of the two lists.
    return sets.role.size() + 1 + sets.token.size();
}

std::size_t effective_scopes(const ScopeSets& sets, char* buffer) noexcept {
    if (!sets.has_role || sets.token.empty()) {
        const std::string_view only = sets.has_role ? sets.role : sets.token;
        std::copy(only.begin(), only.end(), buffer);
        return only.size();
    }
    // Of two grants of which one covers the other, both allow the narrower one: so the effective
    // scopes are those words of each list that the other list covers.
    const Wildcards role_wildcards(sets.role);
    const Wildcards token_wildcards(sets.token);
    std::string_view role_rest = sets.role;
    std::string_view token_rest = sets.token;
    std::string_view of_role = next_word(role_rest);
    std::string_view of_token = next_word(token_rest);
    std::size_t used = 0;
    while (!of_role.empty() || !of_token.empty()) {
        const bool take_role = of_token.empty() || (!of_role.empty() && of_role <= of_token);
        const bool take_token = of_role.empty() || (!of_token.empty() && of_token <= of_role);
        const std::string_view word = take_role ? of_role : of_token;
        if ((take_role && take_token) ||
            (take_role ? token_wildcards : role_wildcards).cover(word)) {
            if (used != 0) {
                buffer[used++] = ' ';
            }
            std::memcpy(buffer + used, word.data(), word.size());
            used += word.size();
        }
        if (take_role) {
            of_role = next_word(role_rest);
        }
        if (take_token) {
            of_token = next_word(token_rest);
        }
    }
    return used;
}

}  // namespace token_auth
