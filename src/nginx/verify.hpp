// token_auth_verify: tells other proxies who may pass, and who that is.
#pragma once

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

// The content handler. Decides in subrequests; for others, the access phase has done so. Answers
// 200 and the caller's X-Token-... fields, with empty ones for what there is not: a proxy that
// copies them then leaves none of its client's own in place.
ngx_int_t verify_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
