// The module's configuration. Read-only once it is merged.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/claims.hpp"

namespace token_auth::nginx {

struct MainConf {
    ngx_array_t stores;  // of const char*: the paths of all stores named, each once
    ngx_array_t keys;    // of ngx_str_t: the keys of keyed digests
    ngx_http_complex_value_t* default_organization;  // $http_x_org_id, made when first needed
    ngx_shm_zone_t* zone;                            // token_auth_zone; null: off
    // In the zone, one for each store: see highest_generation(). Null if it is off.
    std::atomic<std::uint64_t>** generations;
};

enum ErrorBody : ngx_uint_t { error_problem, error_html };

// The values of a directive that takes several.
struct Values {
    ngx_array_t compiled;              // of ngx_http_complex_value_t
    const std::string_view* constant;  // the same where none holds a variable, else null
};

struct LocConf {
    // token_auth; a null realm is off
    ngx_http_complex_value_t* realm;
    ngx_http_complex_value_t* token;  // null: the Authorization field
    const char* file;                 // where token_auth stands, for messages
    ngx_uint_t line;

    ngx_uint_t store;    // index into MainConf::stores
    ngx_uint_t schemes;  // a set of Scheme
    ngx_flag_t anonymous;

    ngx_uint_t organization_mode;  // an OrganizationMode
    ngx_http_complex_value_t* organization;

    ngx_uint_t kinds;    // a set of Kind
    Values* groups;      // null: nothing is asked for
    Values* roles;       // likewise
    Values* scopes;      // likewise
    Values* scopes_any;  // likewise

    time_t max_age;  // seconds; 0: any
    ngx_uint_t error_body;
};

void* create_main_conf(ngx_conf_t* cf) noexcept;
char* init_main_conf(ngx_conf_t* cf, void* data) noexcept;
void* create_loc_conf(ngx_conf_t* cf) noexcept;
char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept;

extern ngx_command_t commands[];

}  // namespace token_auth::nginx
