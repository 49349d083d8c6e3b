// The handlers of the operations, by the file that they are in.
#pragma once

#include <string_view>

#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// health.cpp
Step get_health(Call& call);
Step get_metrics(Call& call);

// openapi.cpp
Step get_openapi(Call& call);
// docs/openapi.json
std::string_view openapi_text() noexcept;

}  // namespace token_auth::tokenapi
