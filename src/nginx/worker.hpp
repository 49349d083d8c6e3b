// The state of a worker process: open stores and digester.
#pragma once

#include "nginx/conf.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/store_pool.hpp"

namespace token_auth::nginx {

// Process hooks. They open and close in the processes that serve requests only.
ngx_int_t init_process(ngx_cycle_t* cycle) noexcept;
void exit_process(ngx_cycle_t* cycle) noexcept;

// The stores, by their numbers in MainConf::stores; null without memory.
StorePool* store_pool(const MainConf& conf) noexcept;

// Only after store_pool() has given them.
Digester& digester() noexcept;

}  // namespace token_auth::nginx
