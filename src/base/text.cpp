#include "base/text.hpp"

#include <fmt/core.h>

namespace token_auth::base {

std::string printable(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if ((c >= 0 && c < 0x20) || c == 0x7f) {
            c = '?';
        }
    }
    return out;
}

std::string counted(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace token_auth::base
