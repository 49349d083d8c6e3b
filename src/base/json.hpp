// JSON values.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "base/json_fwd.hpp"

namespace token_auth::base {

// The value on one line, with a newline at its end. Bytes that are no UTF-8 are replaced.
std::string json_line(const Json& value);

}  // namespace token_auth::base
