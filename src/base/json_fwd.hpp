// The type of JSON values, for headers: the library's whole header costs seconds.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace token_auth::base {

// Members stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// The value on one line, with a newline at its end. Bytes that are no UTF-8 are replaced.
std::string json_line(const Json& value);

}  // namespace token_auth::base
