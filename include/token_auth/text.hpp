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

// For texts as short as identifiers and scopes, for which a call of memcmp() takes longer.
inline bool is_equal(std::string_view one, std::string_view other) noexcept {
    constexpr std::size_t word = sizeof(std::uint64_t);
    const std::size_t size = one.size();
    if (size != other.size()) {
        return false;
    }
    if (size < word) {
        std::size_t same = 0;
        while (same < size && one[same] == other[same]) {
            ++same;
        }
        return same == size;
    }
    const auto differ = [&](std::size_t at) {
        std::uint64_t mine;
        std::uint64_t others;
        std::memcpy(&mine, one.data() + at, word);
        std::memcpy(&others, other.data() + at, word);
        return mine ^ others;
    };
    std::uint64_t different = differ(size - word);
    for (std::size_t at = 0; at < size - word; at += word) {
        different |= differ(at);
    }
    return different == 0;
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

// Removes the first word of a space-separated list and returns it; empty at the end.
inline std::string_view next_word(std::string_view& list) noexcept {
    while (!list.empty() && list.front() == ' ') {
        list.remove_prefix(1);
    }
    const std::string_view word = list.substr(0, list.find(' '));
    list.remove_prefix(word.size());
    return word;
}

// Whether any of the granted scopes, separated by spaces, covers the wanted one.
bool any_covers(std::string_view grants, std::string_view wanted) noexcept;

}  // namespace token_auth
