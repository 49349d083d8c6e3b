// Standard output, with its errors answered.
#pragma once

#include <string_view>

#include "base/json_fwd.hpp"

namespace token_auth::cli {

// Writes all of it, without a buffer that a secret could stay in; base::Error if that fails.
void write_out(std::string_view text);

// The value on one line.
void print_json(const base::Json& value);

// A line on standard error.
void note(std::string_view text);
void warn(std::string_view text);

}  // namespace token_auth::cli
