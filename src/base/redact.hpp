// What a message may show of what the user gave: never what could be a token.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace token_auth::base {

// Whether a text could be a token or a good part of one: it is long, or holds a long run of
// letters and digits, or bytes that are not printable.
bool may_be_secret(std::string_view text) noexcept;

// The text in quotes, or "(69 bytes, not shown)".
std::string quoted(std::string_view text);

// The message, on one line, with every word replaced that may be a secret.
std::string redacted(std::string_view message);

// The same for a path, by its parts: a key or a token may stand where a path is due.
std::string redacted_path(std::string_view path);

}  // namespace token_auth::base
