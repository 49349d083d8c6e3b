// token_auth_usage: notes the last use of tokens, and tells tokensync of it.
#pragma once

#include "nginx/conf.hpp"
#include "nginx/context.hpp"
#include "nginx/usage_table.hpp"

namespace token_auth::nginx {

// Notes that the access phase let the token of the context in.
void note_use(ngx_http_request_t* r, Context& context) noexcept;

// Makes a table that takes up to `room` bytes of a zone. Null without room.
UsageTable* make_usage_table(ngx_slab_pool_t& pool, std::size_t room) noexcept;

ngx_int_t usage_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
