// The handlers of the access phase and of the phase after it.
#pragma once

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

// NGX_DECLINED where enforcement is off, NGX_OK for who is let in, the status of the denial else.
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;

// Reached by requests that were let through, be it by another module under "satisfy any": takes
// our denial back.
ngx_int_t precontent_handler(ngx_http_request_t* r) noexcept;

// Notes that the request is being logged.
ngx_int_t log_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
