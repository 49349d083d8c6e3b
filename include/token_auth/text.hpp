// Identifiers, scopes and lists of words.
//
// Source: RFC 6749 section 3.3 (scopes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace token_auth {

inline constexpr std::size_t identifier_max = 64;  // bytes
inline constexpr std::size_t scope_max = 128;      // bytes

// Whether two texts of `size` bytes, which is at least a word's, are the same.
template <typename Word>
bool is_equal_by(const char* one, const char* other, std::size_t size) noexcept {
    const auto differ = [&](std::size_t at) {
        Word mine;
        Word others;
        std::memcpy(&mine, one + at, sizeof(Word));
        std::memcpy(&others, other + at, sizeof(Word));
        return mine ^ others;
    };
    const std::size_t last = size - sizeof(Word);
    auto different = differ(last);
    for (std::size_t at = 0; at < last; at += sizeof(Word)) {
        different |= differ(at);
    }
    return different == 0;
}

// For texts as short as identifiers and scopes, for which a call of memcmp() takes longer.
inline bool is_equal(std::string_view one, std::string_view other) noexcept {
    const std::size_t size = one.size();
    return size == other.size() &&
           (size >= 8   ? is_equal_by<std::uint64_t>(one.data(), other.data(), size)
            : size >= 4 ? is_equal_by<std::uint32_t>(one.data(), other.data(), size)
                        : size == 0 || is_equal_by<std::uint8_t>(one.data(), other.data(), size));
}

// [A-Za-z0-9._-]{1,64}, compared byte by byte.
bool is_identifier(std::string_view text) noexcept;

// "group" or "organization/group".
bool is_group(std::string_view text) noexcept;

// scope-token (%x21 / %x23-5B / %x5D-7E), 1 to 128 bytes.
bool is_scope(std::string_view text) noexcept;

// Whether it begins with "auth:", as the scopes of those who manage tokens do.
bool is_reserved(std::string_view scope) noexcept;

// Whether a granted scope covers a wanted one: it is the same; or "prefix:*" if the wanted scope
// begins with "prefix:"; or "*" unless the wanted scope is reserved.
bool scope_covers(std::string_view granted, std::string_view wanted) noexcept;

// Removes the spaces before a word; false if there is none.
inline bool begins_word(std::string_view& list) noexcept {
    while (!list.empty() && list.front() == ' ') {
        list.remove_prefix(1);
    }
    return !list.empty();
}

// Removes the first word of a space-separated list and returns it; empty at the end.
inline std::string_view next_word(std::string_view& list) noexcept {
    begins_word(list);
    std::size_t size = 0;
    while (size < list.size() && list[size] != ' ') {
        ++size;
    }
    const std::string_view word = list.substr(0, size);
    list.remove_prefix(size);
    return word;
}

// Whether any of the granted scopes, separated by spaces, covers the wanted one.
bool any_covers(std::string_view grants, std::string_view wanted) noexcept;

}  // namespace token_auth
