#include "base/redact.hpp"

#include <fmt/format.h>

namespace token_auth::base {
namespace {

// Most of a token's secret part; ids (11) and dashed UUIDs are shorter.
constexpr std::size_t run_max = 24;
// The longest identifier.
constexpr std::size_t length_max = 64;

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
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
        return fmt::format("({} bytes, not shown)", text.size());
    }
    return fmt::format("\"{}\"", text);
}

std::string redacted(std::string_view message) {
    std::string out;
    while (!message.empty()) {
        const std::size_t end = message.find_first_of(" \n\t\"'=");
        const std::string_view word = message.substr(0, end);
        if (may_be_secret(word)) {
            out += fmt::format("({} bytes, not shown)", word.size());
        } else {
            out += word;
        }
        if (end == std::string_view::npos) {
            break;
        }
        out += message[end] == '\n' ? ' ' : message[end];
        message.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace token_auth::base
