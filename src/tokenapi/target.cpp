#include "tokenapi/target.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "tokenapi/limits.hpp"

namespace token_auth::tokenapi {
namespace {

// -1: not a hex digit
int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// None if a % is not followed by two hex digits, or the result is not UTF-8 without NUL.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    if (!base::is_utf8(out)) {
        return std::nullopt;
    }
    return out;
}

std::optional<std::string> decoded_parameter(std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return decoded(spaced);
}

}  // namespace

std::optional<std::vector<std::string>> parse_path(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        if (path.front() != '/') {
            return std::nullopt;
        }
        path.remove_prefix(1);
        const std::string_view raw = path.substr(0, path.find('/'));
        const std::optional<std::string> segment = decoded(raw);
        if (!segment || segment->empty() || segment->find('/') != std::string::npos) {
            return std::nullopt;
        }
        segments.push_back(*segment);
        path.remove_prefix(raw.size());
    }
    return segments;
}

std::optional<std::vector<Parameter>> parse_parameters(std::string_view text) {
    std::vector<Parameter> out;
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(pair.size() + 1, text.size()));
        if (pair.empty()) {
            continue;
        }
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const auto name = decoded_parameter(pair.substr(0, equals));
        const auto value = decoded_parameter(pair.substr(std::min(equals + 1, pair.size())));
        const auto same = [&](const Parameter& each) { return each.name == *name; };
        if (!name || !value || out.size() == limits::parameters ||
            std::any_of(out.begin(), out.end(), same)) {
            return std::nullopt;
        }
        out.push_back({*name, *value});
    }
    return out;
}

}  // namespace token_auth::tokenapi
