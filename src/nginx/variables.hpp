// The $token_auth_* variables, which say what was decided. If nothing was, whoever asks makes the
// module decide.
#pragma once

#include "nginx/conf.hpp"

namespace token_auth::nginx {

ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

// A process hook: finds out which of them nginx keeps the values of.
ngx_int_t find_indexed_variables(ngx_cycle_t* cycle) noexcept;

// Empties the slots in which nginx keeps their values, after a decision.
inline void forget_variables(ngx_http_request_t* r) noexcept {
    const auto& main =
        *static_cast<const MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_token_auth_module));
    const auto* const indexes = static_cast<const ngx_uint_t*>(main.own_variables.elts);
    for (ngx_uint_t i = 0; i < main.own_variables.nelts; ++i) {
        r->variables[indexes[i]].valid = 0;
        r->variables[indexes[i]].not_found = 0;
    }
}

}  // namespace token_auth::nginx
