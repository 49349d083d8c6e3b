// What the module reads of a request, and what it takes out of it.
#pragma once

#include <cstdint>

#include "nginx/ngx.hpp"
#include "token_auth/address.hpp"

namespace token_auth::nginx {

// How many Authorization fields the request has.
ngx_uint_t authorization_count(ngx_http_request_t* r) noexcept;

// Renames the client's fields that token_auth_params would set but for other separators
// ("X_Token_Org", "X.Token.Org") to the names it sets, so that what replaces the one replaces the
// other: upstreams often read both as one.
void rename_imitations(ngx_http_request_t* r) noexcept;

// The client's address as nginx has it (after realip), none for a Unix socket.
Address client_address(ngx_http_request_t* r) noexcept;

// Unix milliseconds by nginx's cached clock.
std::int64_t now_milliseconds() noexcept;

}  // namespace token_auth::nginx
