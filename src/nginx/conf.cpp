#include "nginx/conf.hpp"

#include <algorithm>
#include <new>
#include <type_traits>

#include "nginx/context.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "nginx/verify.hpp"
#include "nginx/zone.hpp"
#include "token_auth/char_class.hpp"
#include "token_auth/credential.hpp"

namespace token_auth::nginx {
namespace {

// Pools run no destructors.
static_assert(std::is_trivially_destructible_v<MainConf>);
static_assert(std::is_trivially_destructible_v<LocConf>);

template <typename T>
void merge_pointer(T*& child, T* parent) noexcept {
    if (child == NGX_CONF_UNSET_PTR) {
        child = parent == NGX_CONF_UNSET_PTR ? nullptr : parent;
    }
}

// The name in "$name" or "${name}", or nothing if there is more to the text.
std::string_view lone_variable(std::string_view text) noexcept {
    if (text.size() < 2 || text.front() != '$') {
        return {};
    }
    text.remove_prefix(1);
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
        text = text.substr(1, text.size() - 2);
    }
    using NameChars = CharClass<'_'>;  // of nginx's ngx_http_script_compile()
    const bool is_capture = text.front() >= '0' && text.front() <= '9';
    return !is_capture && NameChars::contains_all(text) ? text : std::string_view{};
}

constexpr std::string_view field_variable_prefix = "http_";

// Notes the field that a variable may stand for. False if memory is short.
bool find_field(ngx_conf_t* cf, std::string_view variable, Expression& out) noexcept {
    constexpr std::string_view prefix = field_variable_prefix;
    if (variable.size() <= prefix.size() ||
        ngx_strncasecmp(str(variable).data, str(prefix).data, prefix.size()) != 0) {
        return true;
    }
    const ngx_str_t name = str(variable.substr(prefix.size()));
    out.field = {name.len, static_cast<u_char*>(ngx_pnalloc(cf->pool, name.len))};
    if (out.field.data == nullptr) {
        return false;
    }
    ngx_strlow(out.field.data, name.data, name.len);
    std::replace(out.field.data, out.field.data + name.len, '_', '-');
    out.field_name = {name.len, static_cast<u_char*>(ngx_pnalloc(cf->pool, name.len))};
    if (out.field_name.data == nullptr) {
        return false;
    }
    for (std::size_t i = 0; i < name.len; ++i) {
        const bool begins_word = i == 0 || out.field.data[i - 1] == '-';
        out.field_name.data[i] = begins_word ? ngx_toupper(out.field.data[i]) : out.field.data[i];
    }
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    auto** const slot = static_cast<Expression**>(ngx_array_push(&main.fields));
    if (slot == nullptr) {
        return false;
    }
    *slot = &out;
    return true;
}

Expression* default_organization(ngx_conf_t* cf) noexcept {
    auto* main =
        static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    if (main->default_organization != nullptr) {
        return main->default_organization;
    }
    main->default_organization = compile(cf, ngx_string("$http_x_org_id"));
    return main->default_organization;
}

void prepare_requirements(ngx_conf_t* cf, LocConf& conf) noexcept {
    Requirements& out = conf.requirements;
    out = Requirements{};
    out.kinds = static_cast<unsigned>(conf.kinds);
    out.organization_mode = static_cast<OrganizationMode>(conf.organization_mode);
    const auto take = [&](const Values* values, Words& words) {
        if (values != nullptr) {
            words = values->words;
            conf.has_variables = conf.has_variables || !values->is_constant;
        }
    };
    take(conf.groups, out.groups);
    take(conf.roles, out.roles);
    take(conf.scopes, out.scopes);
    take(conf.scopes_any, out.scopes_any);
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    if (!conf.has_variables && main.numbered < Requirements::numbers_max) {
        out.number = main.numbered++;
    }
}

// Sets what only a location with enforcement needs.
char* complete(ngx_conf_t* cf, LocConf& conf) noexcept {
    if (conf.places == NGX_CONF_UNSET_PTR) {
        conf.places = nullptr;
    }
    if (conf.organization == NGX_CONF_UNSET_PTR) {
        conf.organization = default_organization(cf);
        if (conf.organization == nullptr) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
    }
    if (conf.label == nullptr) {
        conf.label = obtain_label(cf, ngx_string("default"));
        if (conf.label == nullptr) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
    }
    if (conf.store == NGX_CONF_UNSET_UINT) {
        // ngx_conf_log_error() would name the end of the enclosing block.
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"token_auth_db\" is defined for the \"token_auth\" directive in %s:%ui; "
                      "add one with tokensync's directory there or in an enclosing block",
                      conf.file, conf.line);
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    prepare_requirements(cf, conf);
    return NGX_CONF_OK;
}

// A handler is not inherited, but by the blocks of a location that have no path of their own, "if"
// and "limit_except".
void inherit_verify(ngx_conf_t* cf, const LocConf& prev, LocConf& conf) noexcept {
    auto& core = *static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core.noname && core.handler == nullptr && prev.verifies) {
        core.handler = verify_handler;
        conf.verify = prev.verify;
    }
    conf.verifies = core.handler == verify_handler;
}

char* refuse_open_verify(ngx_conf_t* cf, const LocConf& conf) noexcept {
    // ngx_conf_log_error() would name the end of the enclosing block.
    ngx_log_error(
        NGX_LOG_EMERG, cf->log, 0,
        "\"token_auth_verify\" would let everybody in, because \"token_auth\" is off here; "
        "add a \"token_auth\" there or in an enclosing block in %s:%ui",
        conf.verify.file, conf.verify.line);
    return static_cast<char*>(NGX_CONF_ERROR);
}

}  // namespace

Expression* compile(ngx_conf_t* cf, ngx_str_t text) noexcept {
    auto* out = static_cast<Expression*>(ngx_pcalloc(cf->pool, sizeof(Expression)));
    if (out == nullptr) {
        return nullptr;
    }
    ngx_str_t name = str(lone_variable(view(text)));
    ngx_http_compile_complex_value_t value{};
    value.cf = cf;
    value.value = &text;
    value.complex_value = &out->compiled;
    if (ngx_http_compile_complex_value(&value) != NGX_OK) {
        return nullptr;
    }
    out->variable = NGX_ERROR;
    if (name.len == 0) {
        return out;
    }
    constexpr std::string_view cookie_prefix = "cookie_";
    out->is_cookie = name.len > cookie_prefix.size() &&
                     ngx_strncasecmp(name.data, str(cookie_prefix).data, cookie_prefix.size()) == 0;
    out->variable = ngx_http_get_variable_index(cf, &name);
    return out->variable != NGX_ERROR && find_field(cf, view(name), *out) ? out : nullptr;
}

ngx_http_get_variable_pt field_handler(const ngx_http_core_main_conf_t& core) noexcept {
    const auto* known = static_cast<const ngx_http_variable_t*>(core.prefix_variables.elts);
    for (ngx_uint_t i = 0; i < core.prefix_variables.nelts; ++i) {
        if (view(known[i].name) == field_variable_prefix) {
            return known[i].get_handler;
        }
    }
    return nullptr;
}

// nginx looks a request's field up by a variable's name; more cheaply, the module does so itself.
// But somebody may have made an ordinary variable of that name, by `map` or `set`.
void find_fields(ngx_cycle_t* cycle) noexcept {
    const auto* const main = static_cast<const MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_token_auth_module));
    const auto* const core = static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module));
    if (main == nullptr || core == nullptr) {
        return;
    }
    const auto* const variables = static_cast<const ngx_http_variable_t*>(core->variables.elts);
    const ngx_http_get_variable_pt handler = field_handler(*core);
    auto* const* const fields = static_cast<Expression* const*>(main->fields.elts);
    std::for_each(fields, fields + main->fields.nelts, [&](Expression* field) {
        field->is_field = variables[field->variable].get_handler == handler;
    });
}

bool evaluate_variables(ngx_http_request_t* r, const Expression& expression,
                        std::string_view& out) noexcept {
    if (expression.variable == NGX_ERROR) {
        ngx_str_t text;
        auto* compiled = const_cast<ngx_http_complex_value_t*>(&expression.compiled);
        const bool done = ngx_http_complex_value(r, compiled, &text) == NGX_OK;
        out = done ? view(text) : std::string_view{};
        return done;
    }
    const ngx_http_variable_value_t* const value =
        ngx_http_get_flushed_variable(r, static_cast<ngx_uint_t>(expression.variable));
    // Like nginx's script, take a variable that could not be evaluated for an empty one.
    out = value == nullptr || value->not_found
              ? std::string_view{}
              : std::string_view{reinterpret_cast<char*>(value->data), value->len};
    return true;
}

bool split_words(ngx_pool_t* pool, const std::string_view* values, std::size_t count,
                 IfEmpty if_empty, Words& out) noexcept {
    auto* const room = static_cast<std::string_view*>(
        ngx_palloc(pool, words_max(values, count) * sizeof(std::string_view)));
    if (room == nullptr) {
        return false;
    }
    out = split_words(values, count, if_empty, room);
    return true;
}

void* create_main_conf(ngx_conf_t* cf) noexcept {
    auto* conf = static_cast<MainConf*>(ngx_pcalloc(cf->pool, sizeof(MainConf)));
    if (conf == nullptr ||
        ngx_array_init(&conf->stores, cf->pool, 1, sizeof(const char*)) != NGX_OK ||
        ngx_array_init(&conf->rules, cf->pool, 1, sizeof(void*)) != NGX_OK ||
        ngx_array_init(&conf->fields, cf->pool, 1, sizeof(void*)) != NGX_OK ||
        ngx_array_init(&conf->own_variables, cf->pool, 1, sizeof(ngx_uint_t)) != NGX_OK ||
        ngx_array_init(&conf->labels, cf->pool, 1, sizeof(void*)) != NGX_OK ||
        ngx_array_init(&conf->keys, cf->pool, 1, sizeof(ngx_str_t)) != NGX_OK) {
        return nullptr;
    }
    conf->zone = static_cast<ngx_shm_zone_t*>(NGX_CONF_UNSET_PTR);
    return conf;
}

char* init_main_conf(ngx_conf_t* cf, void* data) noexcept {
    return add_default_zone(cf, *static_cast<MainConf*>(data));
}

void* create_loc_conf(ngx_conf_t* cf) noexcept {
    auto* conf = static_cast<LocConf*>(ngx_pcalloc(cf->pool, sizeof(LocConf)));
    if (conf == nullptr) {
        return nullptr;
    }
    const auto unset = [](auto*& pointer) {
        pointer = static_cast<std::remove_reference_t<decltype(pointer)>>(NGX_CONF_UNSET_PTR);
    };
    unset(conf->realm);
    unset(conf->places);
    unset(conf->organization);
    unset(conf->groups);
    unset(conf->roles);
    unset(conf->scopes);
    unset(conf->scopes_any);
    unset(conf->label);
    conf->store = NGX_CONF_UNSET_UINT;
    conf->schemes = 0;
    conf->anonymous = NGX_CONF_UNSET;
    conf->preflight = NGX_CONF_UNSET;
    conf->organization_mode = NGX_CONF_UNSET_UINT;
    conf->kinds = 0;
    conf->max_age = NGX_CONF_UNSET;
    conf->recheck = NGX_CONF_UNSET_MSEC;
    conf->error_body = NGX_CONF_UNSET_UINT;
    conf->forward = NGX_CONF_UNSET;
    conf->status_format = NGX_CONF_UNSET_UINT;
    conf->usage_public = NGX_CONF_UNSET;
    return conf;
}

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept {
    auto* prev = static_cast<LocConf*>(parent);
    auto* conf = static_cast<LocConf*>(child);

    // token_auth sets all of these, so they are inherited together.
    if (conf->realm == NGX_CONF_UNSET_PTR) {
        conf->places = prev->places;
        conf->file = prev->file;
        conf->line = prev->line;
    }
    merge_pointer(conf->realm, prev->realm);
    if (conf->organization_mode == NGX_CONF_UNSET_UINT) {
        conf->organization_mode = prev->organization_mode;
        conf->organization = prev->organization;
    }
    ngx_conf_init_uint_value(conf->organization_mode,
                             static_cast<ngx_uint_t>(OrganizationMode::required));

    ngx_conf_merge_uint_value(conf->store, prev->store, NGX_CONF_UNSET_UINT);
    ngx_conf_merge_bitmask_value(conf->schemes, prev->schemes,
                                 (NGX_CONF_BITMASK_SET | scheme_bearer | scheme_token));
    ngx_conf_merge_value(conf->anonymous, prev->anonymous, 0);
    ngx_conf_merge_value(conf->preflight, prev->preflight, 0);
    ngx_conf_merge_bitmask_value(conf->kinds, prev->kinds, (NGX_CONF_BITMASK_SET | kinds_all));
    merge_pointer(conf->groups, prev->groups);
    merge_pointer(conf->roles, prev->roles);
    merge_pointer(conf->scopes, prev->scopes);
    merge_pointer(conf->scopes_any, prev->scopes_any);
    ngx_conf_merge_sec_value(conf->max_age, prev->max_age, 0);
    ngx_conf_merge_msec_value(conf->recheck, prev->recheck, 0);
    ngx_conf_merge_uint_value(conf->error_body, prev->error_body, error_problem);
    ngx_conf_merge_value(conf->forward, prev->forward, 1);
    merge_pointer(conf->label, prev->label);
    const bool is_server = prev->outer == nullptr;
    conf->strips_early = is_server ? strips(*conf) : prev->strips_early;
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    main.strips_early = main.strips_early || conf->strips_early;
    main.strips = main.strips || strips(*conf);
    conf->outer = prev;
    inherit_verify(cf, *prev, *conf);
    if (conf->realm == nullptr) {
        return conf->verifies ? refuse_open_verify(cf, *conf) : NGX_CONF_OK;
    }
    for (LocConf* each = conf; each != nullptr; each = each->outer) {
        each->enforces_below = true;
    }
    return complete(cf, *conf);
}

Label* obtain_label(ngx_conf_t* cf, ngx_str_t name) noexcept {
    auto& main =
        *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    auto* const* const known = static_cast<Label* const*>(main.labels.elts);
    for (ngx_uint_t i = 0; i < main.labels.nelts; ++i) {
        if (view(known[i]->name) == view(name)) {
            return known[i];
        }
    }
    if (main.labels.nelts == labels_max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the label \"%V\" of \"token_auth_label\" is one too many, there may "
                           "be %ui, \"default\" among them; let some locations share one",
                           &name, labels_max);
        return nullptr;
    }
    auto* const label = static_cast<Label*>(ngx_pcalloc(cf->pool, sizeof(Label)));
    auto** const slot = static_cast<Label**>(ngx_array_push(&main.labels));
    if (label == nullptr || slot == nullptr) {
        return nullptr;
    }
    label->name = name;
    *slot = label;
    return label;
}

void warn_of_open_rules(ngx_conf_t* cf) noexcept {
    const auto& main = *static_cast<const MainConf*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_token_auth_module));
    const auto* const* const rules = static_cast<const LocConf* const*>(main.rules.elts);
    for (ngx_uint_t i = 0; i < main.rules.nelts; ++i) {
        if (!rules[i]->enforces_below) {
            // ngx_conf_log_error() would name the end of the configuration.
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"%V\" has no effect, because \"token_auth\" is off here and in every "
                          "block within, so requests are let in unchecked; add a \"token_auth\" or "
                          "remove it in %s:%ui",
                          &rules[i]->rule, rules[i]->rule_file, rules[i]->rule_line);
        }
    }
}

}  // namespace token_auth::nginx
