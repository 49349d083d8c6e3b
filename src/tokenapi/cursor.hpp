// Cursors of lists: a position, good for its list, sort and filters only.
//
// A cursor is base64url of: 8 bytes of the SHA-256 of what it is good for, then each value with its
// kind (1 byte: 0 null, 1 number, 2 text) and, by kind, 8 bytes big-endian, or a length of 2 bytes
// and the text. It is no secret and proves nothing: whoever makes up a position gets the page
// behind it, of what they may see anyway.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace token_auth::tokenapi {

using PositionValue = std::variant<std::monostate, std::int64_t, std::string>;
using Position = std::vector<PositionValue>;

// `list` names list, sort and filters, all that decides which rows come in which order.
std::string encode_cursor(std::string_view list, const Position& position);

// The position; Problem (cursor_invalid) unless the cursor was made for `list` and has as many
// values as `kinds` has characters, each of its kind: "i" a number, "t" a text, upper case: or
// null.
Position decode_cursor(std::string_view list, std::string_view kinds, std::string_view cursor);

}  // namespace token_auth::tokenapi
