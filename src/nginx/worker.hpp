// What a worker process has for itself: the open stores and the digester.
#pragma once

#include "nginx/conf.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/store.hpp"

namespace token_auth::nginx {

// Process hooks. They open and close in the processes that serve requests only: an LMDB
// environment must not cross a fork.
ngx_int_t init_process(ngx_cycle_t* cycle) noexcept;
void exit_process(ngx_cycle_t* cycle) noexcept;

// The store of a number in MainConf::stores, or null where it cannot be served just now.
Store* store_at(const MainConf& conf, ngx_uint_t index) noexcept;

// Gives up a store whose lookup was broken; it is opened again a second later.
void give_up_store(const MainConf& conf, ngx_uint_t index) noexcept;

// Only after store_at() has given a store.
Digester& digester() noexcept;

}  // namespace token_auth::nginx
