// The type of JSON values, for headers: the library's whole header costs seconds.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace token_auth::base {

// Members stay in the order in which they were added.
using Json = nlohmann::ordered_json;

}  // namespace token_auth::base
