// What the module reads from a request, and what it changes in it.
#pragma once

#include <cstdint>
#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/address.hpp"

namespace token_auth::nginx {

// Counts the request's Authorization fields.
ngx_uint_t authorization_count(ngx_http_request_t* r) noexcept;

// The value of the field that nginx has in $http_some_name, by the name "some-name". If there are
// several with different values, nobody can say which one counts: then ",", which is neither an
// identifier nor a token.
std::string_view field_value(ngx_http_request_t* r, std::string_view name) noexcept;

// Renames the client's fields that differ from those of token_auth_params only in their separators,
// such as "X_Token_Org" and "X.Token.Org", so that token_auth_params replaces them, too: upstreams
// often read them as the same field.
void rename_imitations(ngx_http_request_t* r) noexcept;

// The client's address as nginx sees it (after realip); family 0 for a Unix socket.
Address client_address(ngx_http_request_t* r) noexcept;

// nginx's cached time, of a clock that nobody sets, in seconds.
std::int64_t steady_seconds() noexcept;

// nginx's cached time in Unix milliseconds.
std::int64_t now_milliseconds() noexcept;

}  // namespace token_auth::nginx
