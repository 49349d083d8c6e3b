// Texts for people.
#pragma once

#include <charconv>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace token_auth::base {

struct CodePoints {
    char32_t first;
    char32_t last;
};

// In ascending order: those that is_invisible() and is_space() are true for.
std::span<const CodePoints> invisible_code_points() noexcept;
std::span<const CodePoints> space_code_points() noexcept;

// Whether a code point shows as nothing, or turns the text around it: controls, separators of lines
// and paragraphs, zero-width characters, controls of the writing direction.
bool is_invisible(char32_t c) noexcept;
// Whether it shows as a space.
bool is_space(char32_t c) noexcept;

// Whether a text is UTF-8, without a NUL.
bool is_utf8(std::string_view text) noexcept;

// Whether a text is empty or ASCII white space only.
bool is_blank(std::string_view text) noexcept;

// The text, fit for a terminal: what is invisible as \x1b or \u{202e}, bytes that are not UTF-8 as
// \xff.
std::string printable(std::string_view text);

// The text, which must be UTF-8, with `by` in place of each character that is invisible.
std::string replace_invisible(std::string_view text, char by);

// The whole text as a decimal number; 0 if it is none.
template <typename Number>
Number number_of(std::string_view text) noexcept {
    Number value = 0;
    const char* const end = text.data() + text.size();
    return std::from_chars(text.data(), end, value).ptr == end ? value : 0;
}

// "1 token", "2 tokens".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace token_auth::base
