// Standard output, with its errors answered.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace token_auth::cli {

using Json = nlohmann::ordered_json;

// Writes all of it, without a buffer that a secret could stay in; cli::Error where that fails.
void write_out(std::string_view text);

// One line of JSON. Bytes that are no UTF-8 are replaced.
std::string json_line(const Json& value);
void print_json(const Json& value);

// A line on standard error.
void note(std::string_view text);
void warn(std::string_view text);

}  // namespace token_auth::cli
