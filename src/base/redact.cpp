#include "base/redact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace token_auth::base {
namespace {

// Most of a token's secret part; ids (11) and dashed UUIDs are shorter.
constexpr std::size_t run_max = 24;
// The longest identifier.
constexpr std::size_t length_max = 64;

std::string not_shown(std::string_view text) {
    return fmt::format("({} bytes, not shown)", text.size());
}

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
}

bool has_long_run(std::string_view text) {
    std::size_t run = 0;
    for (const char c : text) {
        run = is_alphanumeric(c) ? run + 1 : 0;
        if (run >= run_max) {
            return true;
        }
    }
    return false;
}

// A word in whatever language, unless it may be a secret.
std::string part_shown(std::string_view part) {
    if (has_long_run(part) || (part.size() > length_max && is_ascii(part))) {
        return not_shown(part);
    }
    return printable(part);
}

// The text with `show` applied to what stands between the separators.
template <typename Show>
std::string each_part(std::string_view text, const char* separators, const Show& show) {
    std::string out;
    for (;;) {
        const std::size_t end = text.find_first_of(separators);
        out += show(text.substr(0, end));
        if (end == std::string_view::npos) {
            return out;
        }
        out += text[end] == '\n' ? ' ' : text[end];
        text.remove_prefix(end + 1);
    }
}

}  // namespace

bool may_be_secret(std::string_view text) noexcept {
    if (text.size() > length_max || has_long_run(text)) {
        return true;
    }
    for (const char c : text) {
        if (c < 0x20 || c > 0x7e) {
            return true;
        }
    }
    return false;
}

std::string quoted(std::string_view text) {
    if (may_be_secret(text)) {
        return not_shown(text);
    }
    return fmt::format("\"{}\"", text);
}

std::string redacted(std::string_view message) {
    return each_part(message, " \n\t\"'=", [](std::string_view word) {
        // a path, not a secret that a "/" divides into short runs
        return word.starts_with('/') ? redacted_path(word) : part_shown(word);
    });
}

std::string redacted_path(std::string_view path) {
    return each_part(path, "/", part_shown);
}

}  // namespace token_auth::base
