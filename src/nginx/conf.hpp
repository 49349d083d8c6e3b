// The module's configuration, read-only once it is merged.
#pragma once

#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/store_pool.hpp"

namespace token_auth::nginx {

struct MainConf {
    ngx_array_t stores;  // of const char*: the paths of all stores, each once
    ngx_array_t keys;    // of ngx_str_t: the keys of keyed digests
    ngx_http_complex_value_t* default_organization;  // $http_x_org_id, compiled on first use
    ngx_shm_zone_t* zone;                            // token_auth_zone; null: off
    MinGeneration** min_generations;  // in the zone, one for each store; null if it is off
};

enum ErrorBody : ngx_uint_t { error_problem, error_html };

// The values of a directive that takes any number of them.
struct Values {
    ngx_array_t compiled;              // of ngx_http_complex_value_t
    const std::string_view* constant;  // the same values if none has a variable, else null
};

struct LocConf {
    // token_auth; the realm is null if it is off
    ngx_http_complex_value_t* realm;
    ngx_http_complex_value_t* token;  // null: the Authorization field
    const char* file;                 // of the token_auth directive, for messages
    ngx_uint_t line;

    ngx_uint_t store;    // index into MainConf::stores
    ngx_uint_t schemes;  // a set of Scheme
    ngx_flag_t anonymous;

    ngx_uint_t organization_mode;  // an OrganizationMode
    ngx_http_complex_value_t* organization;

    ngx_uint_t kinds;    // a set of Kind
    Values* groups;      // null: no requirement
    Values* roles;       // likewise
    Values* scopes;      // likewise
    Values* scopes_any;  // likewise

    time_t max_age;  // seconds; 0: no limit
    ngx_uint_t error_body;
};

void* create_main_conf(ngx_conf_t* cf) noexcept;
char* init_main_conf(ngx_conf_t* cf, void* data) noexcept;
void* create_loc_conf(ngx_conf_t* cf) noexcept;
char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept;

extern ngx_command_t commands[];

}  // namespace token_auth::nginx
