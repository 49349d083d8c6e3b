// A body in JSON.
//
// Source: RFC 8259.
#pragma once

#include <string_view>

#include "base/json_fwd.hpp"

namespace token_auth::tokenapi {

// The object that the text is. Problem (body_malformed) if it is none, is not UTF-8, is nested too
// deeply, an object has a name twice, or too many.
base::Json parse_object(std::string_view text);

}  // namespace token_auth::tokenapi
