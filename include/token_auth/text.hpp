// Identifiers, scopes and sets of scopes: the small alphabets everything else is written in.
#pragma once

#include <cstddef>
#include <string_view>

namespace token_auth {

inline constexpr std::size_t identifier_max = 64;  // bytes
inline constexpr std::size_t scope_max = 128;      // bytes

// [A-Za-z0-9._-]{1,64}, compared byte by byte.
bool is_identifier(std::string_view text) noexcept;

// Whether all bytes of a text, which may be empty, are those of identifiers.
bool are_identifier_letters(std::string_view text) noexcept;

// scope-token of RFC 6749 section 3.3 (%x21 / %x23-5B / %x5D-7E), 1 to 128 bytes.
bool is_scope(std::string_view text) noexcept;

// Whether one granted scope covers a wanted one: the same bytes, "*", or "prefix:*" where the
// wanted one starts with "prefix:".
bool scope_covers(std::string_view granted, std::string_view wanted) noexcept;

// The next word of a list separated by spaces; takes it off the list. Empty at the end.
std::string_view next_word(std::string_view& list) noexcept;

// Whether any scope of a space-separated list of grants covers the wanted one.
bool any_covers(std::string_view grants, std::string_view wanted) noexcept;

}  // namespace token_auth
