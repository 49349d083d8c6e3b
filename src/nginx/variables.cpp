#include "nginx/variables.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "nginx/access.hpp"
#include "nginx/context.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"

namespace token_auth::nginx {
namespace {

ngx_int_t set(ngx_http_variable_value_t* out, std::string_view text) noexcept {
    out->valid = 1;
    out->no_cacheable = 0;
    out->not_found = 0;
    out->len = static_cast<unsigned>(text.size()) & 0x0fffffff;
    out->data = str(text).data;
    return NGX_OK;
}

ngx_int_t set_number(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                     std::int64_t number) noexcept {
    auto* text = static_cast<u_char*>(ngx_pnalloc(r->pool, NGX_INT64_LEN));
    if (text == nullptr) {
        return NGX_ERROR;
    }
    const u_char* end = ngx_sprintf(text, "%L", number);
    return set(out, {reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)});
}

// What the variables are about: the main request's last decision.
struct Asked {
    const Decision* decision = nullptr;  // null: there is none
    bool names_token = false;            // a refused token speaks for nobody, but logs name it
};

// False if memory is short.
bool ask(ngx_http_request_t* r, Asked& out) noexcept {
    Context* context = find_context(r);
    if (context != nullptr && context->deciding) {
        context->names_itself = true;  // by one of the module's directives: nothing is decided yet
        return true;
    }
    // log_handler() marks a subrequest that is being logged by its r->ctx.
    const bool is_over =
        (context != nullptr && context->kept.answered) ||
        (r != r->main && ngx_http_get_module_ctx(r, ngx_http_token_auth_module) != nullptr);
    if (!is_over && !decide_for_variable(r->main, context)) {
        return false;
    }
    if (context != nullptr) {
        out.decision = &last_decision(*context);
        out.names_token = context->logging || out.decision->code == Code::ok;
    }
    return true;
}

// `data` is a Field.
ngx_int_t get_field(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                    uintptr_t data) noexcept {
    Asked asked;
    std::string_view text;
    if (!ask(r, asked) ||
        (asked.names_token && !field_of(r, *asked.decision, static_cast<Field>(data), text))) {
        return NGX_ERROR;
    }
    return set(out, text);
}

ngx_int_t get_result(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                     uintptr_t /*data*/) noexcept {
    Asked asked;
    if (!ask(r, asked)) {
        return NGX_ERROR;
    }
    return set(out, asked.decision == nullptr || !asked.decision->decided
                        ? std::string_view{}
                        : answer(asked.decision->code).name);
}

ngx_int_t get_expires(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                      uintptr_t /*data*/) noexcept {
    Asked asked;
    if (!ask(r, asked)) {
        return NGX_ERROR;
    }
    const bool expires = asked.names_token && !asked.decision->token.bytes().empty() &&
                         asked.decision->token.expires() != 0;
    return expires ? set_number(r, out, asked.decision->token.expires()) : set(out, {});
}

ngx_int_t get_generation(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                         uintptr_t /*data*/) noexcept {
    Asked asked;
    if (!ask(r, asked)) {
        return NGX_ERROR;
    }
    return asked.decision == nullptr || asked.decision->generation == 0
               ? set(out, {})
               : set_number(r, out, static_cast<std::int64_t>(asked.decision->generation));
}

ngx_int_t get_age(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                  uintptr_t /*data*/) noexcept {
    Asked asked;
    if (!ask(r, asked)) {
        return NGX_ERROR;
    }
    if (asked.decision == nullptr || asked.decision->generation == 0) {
        return set(out, {});
    }
    const std::int64_t age = (now_milliseconds() - asked.decision->synced) / 1000;
    return set_number(r, out, age < 0 ? 0 : age);
}

// Not cacheable: a variable may be evaluated before the access phase, and again after it.
constexpr ngx_uint_t flags = NGX_HTTP_VAR_NOCACHEABLE;

constexpr uintptr_t field(Field field) noexcept {
    return static_cast<uintptr_t>(field);
}

const ngx_http_variable_t variables[] = {
    {ngx_string("token_auth_result"), nullptr, get_result, 0, flags, 0},
    {ngx_string("token_auth_id"), nullptr, get_field, field(Field::id), flags, 0},
    {ngx_string("token_auth_kind"), nullptr, get_field, field(Field::kind), flags, 0},
    {ngx_string("token_auth_subject"), nullptr, get_field, field(Field::subject), flags, 0},
    {ngx_string("token_auth_org"), nullptr, get_field, field(Field::organization), flags, 0},
    {ngx_string("token_auth_group"), nullptr, get_field, field(Field::group), flags, 0},
    {ngx_string("token_auth_role"), nullptr, get_field, field(Field::role), flags, 0},
    {ngx_string("token_auth_scopes"), nullptr, get_field, field(Field::scopes), flags, 0},
    {ngx_string("token_auth_name"), nullptr, get_field, field(Field::name), flags, 0},
    {ngx_string("token_auth_expires"), nullptr, get_expires, 0, flags, 0},
    {ngx_string("token_auth_generation"), nullptr, get_generation, 0, flags, 0},
    {ngx_string("token_auth_age"), nullptr, get_age, 0, flags, 0},
};

}  // namespace

ngx_int_t add_variables(ngx_conf_t* cf) noexcept {
    for (const ngx_http_variable_t& row : variables) {
        ngx_str_t name = row.name;
        ngx_http_variable_t* variable = ngx_http_add_variable(cf, &name, row.flags);
        if (variable == nullptr) {
            return NGX_ERROR;
        }
        variable->get_handler = row.get_handler;
        variable->data = row.data;
    }
    return NGX_OK;
}

ngx_int_t find_indexed_variables(ngx_cycle_t* cycle) noexcept {
    auto* const main = static_cast<MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_token_auth_module));
    const auto* const core = static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module));
    if (main == nullptr || core == nullptr) {
        return NGX_OK;
    }
    const auto* const indexed = static_cast<const ngx_http_variable_t*>(core->variables.elts);
    for (ngx_uint_t i = 0; i < core->variables.nelts; ++i) {
        const bool is_own = std::any_of(std::begin(variables), std::end(variables),
                                        [&](const ngx_http_variable_t& row) {
                                            return row.get_handler == indexed[i].get_handler;
                                        });
        if (!is_own) {
            continue;
        }
        auto* const index = static_cast<ngx_uint_t*>(ngx_array_push(&main->own_variables));
        if (index == nullptr) {
            return NGX_ERROR;
        }
        *index = i;
    }
    return NGX_OK;
}

}  // namespace token_auth::nginx
