#include "base/json.hpp"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <string_view>

#include "base/text.hpp"

namespace token_auth::base {
namespace {

// A code point of a JSON string. Source: RFC 8259 section 7.
std::string escaped(char32_t c) {
    if (c < 0x10000) {
        return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    }
    const std::uint32_t rest = static_cast<std::uint32_t>(c) - 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
}

}  // namespace

std::string json_text(const Json& value) {
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string out;
    out.reserve(text.size());
    // dump() escapes ASCII's controls, but DEL.
    const auto is_plain = [](char c) { return c >= ' ' && c < 0x7F; };
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at < end;) {
        const char* const begin = at;
        at = std::find_if_not(at, end, is_plain);
        if (at != begin) {
            out.append(begin, at);
            continue;
        }
        const char32_t c = utf8::unchecked::next(at);
        if (is_invisible(c)) {
            out += escaped(c);
        } else {
            out.append(begin, at);
        }
    }
    return out;
}

void append_json(std::string& out, std::string_view text) {
    const auto is_plain = [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; };
    if (std::all_of(text.begin(), text.end(), is_plain)) {
        out.append(1, '"').append(text).append(1, '"');
    } else {
        out += json_text(Json(text));
    }
}

std::string json_line(const Json& value) {
    return json_text(value) + "\n";
}

}  // namespace token_auth::base
