// token_auth_recheck: a request that was let in is decided anew while it lasts, so that a stream
// (WebSocket, SSE, a long poll, a slow download) ends with its token.
#pragma once

#include <string_view>

#include "nginx/context.hpp"
#include "token_auth/policy.hpp"

namespace token_auth::nginx {

// What the access phase decided by. Views of the request's own memory are copied, because nginx may
// read what a WebSocket's client sends into the buffer of the request's fields.
struct Basis {
    const LocConf* conf;
    const Requirements* requirements;
    std::string_view organization;  // that the request named
    std::string_view token;
    std::string_view realm;
};

// Decides the main request anew every conf->recheck milliseconds, instead of what was begun before.
// False without memory.
bool start_recheck(ngx_http_request_t* r, Context& context, const Basis& basis) noexcept;

void stop_recheck(ngx_http_request_t* r, Context& context) noexcept;

}  // namespace token_auth::nginx
