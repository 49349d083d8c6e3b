// The state of a worker process: open stores and digester.
#pragma once

#include "nginx/conf.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/store.hpp"

namespace token_auth::nginx {

// Process hooks. They open stores only in processes that serve requests, because an LMDB
// environment must not cross a fork.
ngx_int_t init_process(ngx_cycle_t* cycle) noexcept;
void exit_process(ngx_cycle_t* cycle) noexcept;

// The store with this index in MainConf::stores, or null if it is unavailable.
Store* store_at(const MainConf& conf, ngx_uint_t index) noexcept;

// Closes a store after a broken lookup; it is opened again a second later.
void give_up_store(const MainConf& conf, ngx_uint_t index) noexcept;

// Call only after store_at() has returned a store.
Digester& digester() noexcept;

}  // namespace token_auth::nginx
