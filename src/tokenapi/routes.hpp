// The table of all operations. docs/openapi.json describes each of them; t/unit/test_api_routes.cpp
// finds one that only one of the two knows.
#pragma once

#include <span>

#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

std::span<const Route> routes() noexcept;

}  // namespace token_auth::tokenapi
