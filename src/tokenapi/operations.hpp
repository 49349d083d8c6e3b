// The handlers of the operations, by the file that they are in.
#pragma once

#include <string_view>

#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// auth_token.cpp
Step retrieve_token(Call& call);

// me.cpp
Step get_me(Call& call);
Step update_me(Call& call);
Step change_my_password(Call& call);
Step end_my_sessions(Call& call);

// session.cpp
Step log_in(Call& call);
Step log_in_by_sso(Call& call);
Step log_out(Call& call);

// health.cpp
Step get_health(Call& call);
Step get_metrics(Call& call);

// openapi.cpp
Step get_openapi(Call& call);
// docs/openapi.json
std::string_view openapi_text() noexcept;

}  // namespace token_auth::tokenapi
