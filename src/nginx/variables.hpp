// The variables $token_auth_*. They read the request's context and nothing else.
#pragma once

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

}  // namespace token_auth::nginx
