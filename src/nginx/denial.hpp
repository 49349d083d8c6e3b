// Denials: their header fields, their body and their log line.
#pragma once

#include <string_view>

#include "nginx/context.hpp"
#include "token_auth/policy.hpp"

namespace token_auth::nginx {

struct Denial {
    std::string_view realm;
    unsigned schemes;          // to challenge with
    Words scopes;              // that are lacking, where the code is scope_missing
    bool token_from_variable;  // the token may stand in the request line, which nginx logs
};

// Of the required scopes, the list that was not met.
Words missing_scopes(const Claims& claims, const Requirements& requirements) noexcept;

// Adds the header fields of a denial to the answer and logs it. Returns the HTTP status, for the
// access phase to return: the core then decides what the client gets ("satisfy any").
ngx_int_t deny(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept;

// Takes the header fields off again.
void take_back(Context& context) noexcept;

// Puts the filters that replace nginx's page with a problem document before the others.
void install_filters() noexcept;

}  // namespace token_auth::nginx
