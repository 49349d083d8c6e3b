// The module's configuration, read-only once it is merged.
#pragma once

#include <string_view>

#include "nginx/context.hpp"
#include "nginx/counters.hpp"
#include "nginx/ngx.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "nginx/usage_table.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/store_pool.hpp"

namespace token_auth::nginx {

// A value. One that is a variable alone is read without nginx's script of how to put it together.
struct Expression {
    ngx_http_complex_value_t compiled;
    ngx_int_t variable;  // its index, or NGX_ERROR
    bool is_cookie;      // $cookie_some_name
    bool is_field;       // $http_some_name, if that is the request's field; see find_fields()
    // Of $http_some_name, "some-name" and "Some-Name"; else empty.
    ngx_str_t field;
    ngx_str_t field_name;
};

// Null, without a message, if memory is short.
Expression* compile(ngx_conf_t* cf, ngx_str_t text) noexcept;

// nginx's handler of all $http_... variables but a few that it knows; null if there is none.
ngx_http_get_variable_pt field_handler(const ngx_http_core_main_conf_t& core) noexcept;

// A process hook: sets is_field, once nginx knows all variables.
void find_fields(ngx_cycle_t* cycle) noexcept;

// False if that fails.
bool evaluate_variables(ngx_http_request_t* r, const Expression& expression,
                        std::string_view& out) noexcept;

inline bool evaluate(ngx_http_request_t* r, const Context& context, const Expression& expression,
                     std::string_view& out) noexcept {
    if (expression.compiled.lengths == nullptr) {
        out = view(expression.compiled.value);
        return true;
    }
    if (expression.is_field) {
        out = field_value(client_fields(r, context), view(expression.field));
        return true;
    }
    return evaluate_variables(r, expression, out);
}

// Where a directive stands, for messages; null: nowhere.
struct Place {
    const char* directive;
    const char* file;
    ngx_uint_t line;
};

struct MainConf {
    ngx_array_t stores;                // of const char*: the paths of all stores, each once
    ngx_array_t keys;                  // of ngx_str_t: the keys of keyed digests
    ngx_array_t rules;                 // of const LocConf*: those with a rule
    ngx_array_t fields;                // of Expression*: those of $http_some_name
    ngx_array_t own_variables;         // of ngx_uint_t: the module's, by their indexes in a request
    ngx_array_t labels;                // of Label*: each name once
    unsigned numbered;                 // see Requirements::number
    bool strips_early;                 // some server takes X-Token-... fields off
    bool strips;                       // some server or location does
    Expression* default_organization;  // $http_x_org_id, compiled on first use
    ngx_shm_zone_t* zone;              // token_auth_zone; null: off
    Place zone_user;                   // the first directive that needs a zone
    bool notes_use;                    // there is a token_auth_usage
    UsageTable* usage;                 // in the zone; null if use is not noted
    MinGeneration** min_generations;   // in the zone, one for each store; null if it is off
};

enum ErrorBody : ngx_uint_t { error_problem, error_html, error_grpc };

// The values of a directive that takes any number of them.
struct Values {
    ngx_array_t expressions;  // of const Expression*
    IfEmpty if_empty;         // all of them, and some by a variable
    bool is_constant;         // none has a variable:
    Words words;              // then these are theirs
};

// Takes the words of values; see split_words(). False if memory is short.
bool split_words(ngx_pool_t* pool, const std::string_view* values, std::size_t count,
                 IfEmpty if_empty, Words& out) noexcept;

struct LocConf {
    // token_auth; the realm is null if it is off
    Expression* realm;
    ngx_array_t* places;  // of const Expression*: null is the Authorization field, as is no array
    const char* file;     // of the token_auth directive, for messages
    ngx_uint_t line;

    ngx_uint_t store;    // index into MainConf::stores
    ngx_uint_t schemes;  // a set of Scheme
    ngx_flag_t anonymous;
    ngx_flag_t preflight;

    ngx_uint_t organization_mode;  // an OrganizationMode
    Expression* organization;

    ngx_uint_t kinds;    // a set of Kind
    Values* groups;      // null: no requirement
    Values* roles;       // likewise
    Values* scopes;      // likewise
    Values* scopes_any;  // likewise

    // If token_auth is on: what the location requires, but for what a request must be asked for.
    Requirements requirements;
    bool has_variables;  // the organization apart

    time_t max_age;      // seconds; 0: no limit
    ngx_msec_t recheck;  // 0: off
    ngx_uint_t error_body;
    ngx_flag_t forward;
    bool strips_early;  // the server does, before it knows the location
    bool verifies;      // the location's handler is that of token_auth_verify
    Place verify;
    Label* label;              // set if token_auth is on
    ngx_uint_t status_format;  // of token_auth_status in this location
    ngx_flag_t usage_public;   // of token_auth_usage in this location

    // For warn_of_open_rules(): the block's first directive that requires something.
    ngx_str_t rule;
    const char* rule_file;
    ngx_uint_t rule_line;
    LocConf* outer;       // of the enclosing block
    bool enforces_below;  // token_auth is on here or in a block within
};

void* create_main_conf(ngx_conf_t* cf) noexcept;
char* init_main_conf(ngx_conf_t* cf, void* data) noexcept;
void* create_loc_conf(ngx_conf_t* cf) noexcept;
char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept;

// Returns the label of a name, a new one if there is none yet. Null after a message.
Label* obtain_label(ngx_conf_t* cf, ngx_str_t name) noexcept;

// Whether a client's own X-Token-... fields are taken off.
inline bool strips(const LocConf& conf) noexcept {
    return conf.store != NGX_CONF_UNSET_UINT && conf.forward != 0;
}

// Warns of requirements that nobody has to meet, because token_auth is off.
void warn_of_open_rules(ngx_conf_t* cf) noexcept;

extern ngx_command_t commands[];

}  // namespace token_auth::nginx
