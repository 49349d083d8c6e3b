// token_auth_usage: notes the last use of tokens, and tells tokensync of it.
#pragma once

#include "nginx/conf.hpp"
#include "nginx/context.hpp"
#include "nginx/usage_table.hpp"
#include "token_auth/resolve.hpp"

namespace token_auth::nginx {

// Has a look-up bring along the memory that note_use() needs: 1 to 3 % of requests/s with a million
// tokens at random (docs/BENCHMARKS.md has what is left).
void prepare_use(ngx_http_request_t* r, Identify& identify) noexcept;

// Notes that the access phase let the token of the context in.
void note_use(ngx_http_request_t* r, Context& context) noexcept;

// Makes a table that takes up to `room` bytes of a zone. Null without room.
UsageTable* make_usage_table(ngx_slab_pool_t& pool, std::size_t room) noexcept;

ngx_int_t usage_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
