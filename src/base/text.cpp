#include "base/text.hpp"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <iterator>

namespace token_auth::base {
namespace {

// Source: Unicode 15, categories Cc, Zl and Zp, property Default_Ignorable_Code_Point; the latter
// has all of Bidi_Control.
constexpr CodePoints invisible[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x061C, 0x061C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

// Source: Unicode 15, category Zs; and U+2800, a Braille pattern without dots.
constexpr CodePoints spaces[] = {
    {0x0020, 0x0020}, {0x00A0, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200A},
    {0x202F, 0x202F}, {0x205F, 0x205F}, {0x2800, 0x2800}, {0x3000, 0x3000},
};

bool is_in(std::span<const CodePoints> ranges, char32_t c) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const CodePoints& each) { return c >= each.first && c <= each.last; });
}

}  // namespace

std::span<const CodePoints> invisible_code_points() noexcept {
    return invisible;
}

std::span<const CodePoints> space_code_points() noexcept {
    return spaces;
}

bool is_invisible(char32_t c) noexcept {
    return is_in(invisible, c);
}

bool is_space(char32_t c) noexcept {
    return is_in(spaces, c);
}

bool is_utf8(std::string_view text) noexcept {
    return text.find('\0') == std::string_view::npos && utf8::is_valid(text.begin(), text.end());
}

bool is_blank(std::string_view text) noexcept {
    return text.find_first_not_of(" \t\n\v\f\r") == std::string_view::npos;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    const auto escape = [&](std::string_view bytes) {
        for (const char byte : bytes) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        }
    };
    while (!text.empty()) {
        const char* end = text.data();
        char32_t c = 0;
        try {
            c = utf8::next(end, text.data() + text.size());
        } catch (const utf8::exception&) {
            escape(text.substr(0, 1));
            text.remove_prefix(1);
            continue;
        }
        const std::string_view bytes = text.substr(0, static_cast<std::size_t>(end - text.data()));
        if (!is_invisible(c)) {
            out += bytes;
        } else if (c < 0x80) {
            escape(bytes);
        } else {
            out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(c));
        }
        text.remove_prefix(bytes.size());
    }
    return out;
}

std::string replace_invisible(std::string_view text, char by) {
    std::string out;
    out.reserve(text.size());
    for (const char* at = text.data(); at != text.data() + text.size();) {
        const char* const begin = at;
        if (is_invisible(utf8::unchecked::next(at))) {
            out += by;
        } else {
            out.append(begin, at);
        }
    }
    return out;
}

std::string counted(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace token_auth::base
