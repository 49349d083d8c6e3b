#include "nginx/variables.hpp"

#include <cstddef>

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

// The module's own directives see none of its variables: there is no decision yet.
const Context* context_for_variable(ngx_http_request_t* r) noexcept {
    Context* const context = find_context(r);
    if (context == nullptr || !context->deciding) {
        return context;
    }
    context->names_itself = true;
    return nullptr;
}

// `data` is a Field.
ngx_int_t get_field(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                    uintptr_t data) noexcept {
    const Context* context = context_for_variable(r);
    std::string_view text;
    if (context != nullptr && names_token(r, *context) &&
        !field_of(r, *context, static_cast<Field>(data), text)) {
        return NGX_ERROR;
    }
    return set(out, text);
}

ngx_int_t get_result(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                     uintptr_t /*data*/) noexcept {
    const Context* context = context_for_variable(r);
    return set(out, context == nullptr || !context->decided ? std::string_view{}
                                                            : answer(context->code).name);
}

ngx_int_t get_expires(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                      uintptr_t /*data*/) noexcept {
    const Context* context = context_for_variable(r);
    return context == nullptr || context->token.bytes().empty() || context->token.expires() == 0 ||
                   !names_token(r, *context)
               ? set(out, {})
               : set_number(r, out, context->token.expires());
}

ngx_int_t get_generation(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                         uintptr_t /*data*/) noexcept {
    const Context* context = context_for_variable(r);
    return context == nullptr || context->generation == 0
               ? set(out, {})
               : set_number(r, out, static_cast<std::int64_t>(context->generation));
}

ngx_int_t get_age(ngx_http_request_t* r, ngx_http_variable_value_t* out,
                  uintptr_t /*data*/) noexcept {
    const Context* context = context_for_variable(r);
    if (context == nullptr || context->generation == 0) {
        return set(out, {});
    }
    const std::int64_t age = (now_milliseconds() - context->synced) / 1000;
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

}  // namespace token_auth::nginx
