// token_auth_zone: shared memory that all workers write, kept over reloads.
//
// Source: ngx_shared_memory_add() and ngx_init_zone_pool() of nginx's ngx_cycle.c, which reuse a
// zone of the same name, size and tag (here: the module's address, so of the same module file).
#pragma once

#include "nginx/conf.hpp"

namespace token_auth::nginx {

// The directive: token_auth_zone <size> | off
char* set_zone(ngx_conf_t* cf, ngx_command_t* command, void* data) noexcept;

// Makes the zone of the default size if no directive did and a store is named.
char* add_default_zone(ngx_conf_t* cf, MainConf& conf) noexcept;

}  // namespace token_auth::nginx
