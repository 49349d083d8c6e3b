// The $token_auth_* variables, which read the request's context.
#pragma once

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

}  // namespace token_auth::nginx
