// token_auth_status: shows counters and stores.
//
// Source: Prometheus's text-based exposition format, version 0.0.4.
#pragma once

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

enum StatusFormat : ngx_uint_t { status_prometheus, status_json };

ngx_int_t status_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
