// Denials: header fields, body and log line.
#pragma once

#include <string_view>

#include "nginx/context.hpp"
#include "token_auth/policy.hpp"

namespace token_auth::nginx {

struct Denial {
    std::string_view realm;
    unsigned schemes;                // to challenge for
    const Words* scopes;             // required, for scope_missing
    bool token_from_variable;        // the token may be part of the request line, which nginx logs
    std::string_view unknown_token;  // empty if it is known, or there is none
};

// Adds the denial's header fields to the answer and logs it. Returns the HTTP status for the access
// handler to return: with "satisfy any", nginx's core may still let the request in.
ngx_int_t deny(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept;

// Adds gRPC's form of the refusal behind an answer that has begun. False if it is not to be refused
// in that form, or without memory.
bool add_grpc_trailers(ngx_http_request_t* r, const Context& context) noexcept;

// Removes the header fields of the last denial again.
void retract(Context& context) noexcept;

// Installs the filters that replace nginx's page with a problem document.
void install_filters() noexcept;

}  // namespace token_auth::nginx
