// ngx_http_token_auth_module checks opaque API tokens in the access phase against a memory-mapped
// store. This file registers the parts in src/nginx with nginx.
#include <algorithm>

#include "nginx/access.hpp"
#include "nginx/conf.hpp"
#include "nginx/denial.hpp"
#include "nginx/forward.hpp"
#include "nginx/ngx.hpp"
#include "nginx/variables.hpp"
#include "nginx/worker.hpp"

namespace {

using namespace token_auth::nginx;

bool add_handler(ngx_http_core_main_conf_t* core, ngx_uint_t phase,
                 ngx_http_handler_pt handler) noexcept {
    auto* slot = static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[phase].handlers));
    if (slot == nullptr) {
        return false;
    }
    *slot = handler;
    return true;
}

ngx_int_t postconfiguration(ngx_conf_t* cf) noexcept {
    auto* core = static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const auto& main = *static_cast<const MainConf*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    if ((main.strips_early && !add_handler(core, NGX_HTTP_POST_READ_PHASE, post_read_handler)) ||
        (main.strips && (!add_handler(core, NGX_HTTP_SERVER_REWRITE_PHASE, rewrite_handler) ||
                         !add_handler(core, NGX_HTTP_REWRITE_PHASE, rewrite_handler))) ||
        !add_handler(core, NGX_HTTP_ACCESS_PHASE, access_handler) ||
        !add_handler(core, NGX_HTTP_PRECONTENT_PHASE, precontent_handler)) {
        return NGX_ERROR;
    }
    // Run before the log phase's other handlers, which may log variables.
    ngx_array_t* log = &core->phases[NGX_HTTP_LOG_PHASE].handlers;
    if (!add_handler(core, NGX_HTTP_LOG_PHASE, log_handler)) {
        return NGX_ERROR;
    }
    auto* handlers = static_cast<ngx_http_handler_pt*>(log->elts);
    std::rotate(handlers, handlers + log->nelts - 1, handlers + log->nelts);
    install_filters();
    warn_of_open_rules(cf);
    return NGX_OK;
}

ngx_http_module_t module_context = {
    add_variables,      // preconfiguration
    postconfiguration,  // postconfiguration
    create_main_conf,   // create main configuration
    init_main_conf,     // init main configuration
    nullptr,            // create server configuration
    nullptr,            // merge server configuration
    create_loc_conf,    // create location configuration
    merge_loc_conf,     // merge location configuration
};

ngx_int_t init_module(ngx_cycle_t* cycle) noexcept {
    find_fields(cycle);
    return find_indexed_variables(cycle);
}

}  // namespace

extern "C" {

ngx_module_t ngx_http_token_auth_module = {
    NGX_MODULE_V1,
    &module_context,                  // module context
    token_auth::nginx::commands,      // module directives
    NGX_HTTP_MODULE,                  // module type
    nullptr,                          // init master
    init_module,                      // init module
    token_auth::nginx::init_process,  // init process
    nullptr,                          // init thread
    nullptr,                          // exit thread
    token_auth::nginx::exit_process,  // exit process
    nullptr,                          // exit master
    NGX_MODULE_V1_PADDING,
};

}  // extern "C"
