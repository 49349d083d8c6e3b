// Texts for people.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace token_auth::base {

// The text with control characters replaced, fit for a terminal.
std::string printable(std::string_view text);

// "1 token", "2 tokens".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace token_auth::base
