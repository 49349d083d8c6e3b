// What the module reads of a request, and what it takes out of it.
#pragma once

#include <cstdint>

#include "nginx/ngx.hpp"
#include "token_auth/address.hpp"

namespace token_auth::nginx {

struct RequestFields {
    ngx_uint_t authorizations = 0;  // how many Authorization fields there are
};

// Goes through the request's header fields once. A field whose name is one of those that
// token_auth_params sets but for other separators ("X_Token_Org", "X.Token.Org") is renamed to it,
// so that what replaces the one replaces the other: upstreams often read both as one.
RequestFields read_fields(ngx_http_request_t* r) noexcept;

// The client's address as nginx has it (after realip), none for a Unix socket.
Address client_address(ngx_http_request_t* r) noexcept;

// Unix milliseconds by nginx's cached clock.
std::int64_t now_milliseconds() noexcept;

}  // namespace token_auth::nginx
