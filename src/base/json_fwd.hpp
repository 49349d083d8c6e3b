// The type of JSON values, for headers: the library's whole header costs seconds.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace token_auth::base {

// Members stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// The value on one line, fit for a terminal: characters that are invisible (base/text.hpp) as
// \u202e. Bytes that are no UTF-8 are replaced.
std::string json_text(const Json& value);
// Adds a text as json_text() has it.
void append_json(std::string& out, std::string_view text);
// With a newline at its end.
std::string json_line(const Json& value);

}  // namespace token_auth::base
