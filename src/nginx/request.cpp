#include "nginx/request.hpp"

#include <algorithm>
#include <cstring>

#include "nginx/text.hpp"
#include "token_auth/text.hpp"

namespace token_auth::nginx {
namespace {

// Whether a lower-case name is the other one, whose separators are hyphens, with hyphens or
// underscores: nginx has both in one variable.
bool is_same_variable(std::string_view name, std::string_view other) noexcept {
    return is_equal(name, other) ||
           std::equal(name.begin(), name.end(), other.begin(),
                      [](char a, char b) { return a == b || (a == '_' && b == '-'); });
}

[[gnu::noinline]] std::string_view single_value(const ngx_list_part_t& fields,
                                                std::string_view name) noexcept {
    const ngx_str_t* value = nullptr;
    bool same = true;
    for_each_field(fields, [&](const ngx_table_elt_t& field) {
        if (field.key.len == name.size() && field.hash != 0 &&
            is_same_variable({reinterpret_cast<char*>(field.lowcase_key), name.size()}, name)) {
            same = same && (value == nullptr || is_equal(view(field.value), view(*value)));
            value = &field.value;
        }
    });
    return !same ? std::string_view{","} : value == nullptr ? std::string_view{} : view(*value);
}

}  // namespace

std::string_view field_value(const ngx_list_part_t& fields, std::string_view name) noexcept {
    const auto may = [&](const ngx_table_elt_t& field) { return field.key.len == name.size(); };
    return any_field(fields, may) ? single_value(fields, name) : std::string_view{};
}

bool SavedRequest::save(ngx_http_request_t* r) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    const std::size_t size = core.variables.nelts * sizeof(ngx_http_variable_value_t);
    variables_ = static_cast<ngx_http_variable_value_t*>(ngx_palloc(r->pool, size));
    if (variables_ == nullptr) {
        return false;
    }
    std::memcpy(variables_, r->variables, size);
#if (NGX_PCRE)
    ncaptures_ = r->ncaptures;
    captures_ = r->captures;
    captures_data_ = r->captures_data;
    realloc_captures_ = r->realloc_captures != 0;
    r->realloc_captures = 1;  // so that nobody writes into those
#endif
    return true;
}

void SavedRequest::restore(ngx_http_request_t* r) const noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    std::memcpy(r->variables, variables_, core.variables.nelts * sizeof(ngx_http_variable_value_t));
#if (NGX_PCRE)
    r->ncaptures = ncaptures_;
    r->captures = captures_;
    r->captures_data = captures_data_;
    r->realloc_captures = realloc_captures_ ? 1 : 0;
#endif
}

ngx_table_elt_t* add_to(ngx_list_t& fields, std::string_view name,
                        std::string_view value) noexcept {
    auto* const field = static_cast<ngx_table_elt_t*>(ngx_list_push(&fields));
    if (field != nullptr) {
        *field = ngx_table_elt_t{};
        field->hash = 1;
        field->key = str(name);
        field->value = str(value);
    }
    return field;
}

std::int64_t steady_seconds() noexcept {
    return static_cast<std::int64_t>(ngx_current_msec / 1000);
}

std::int64_t now_milliseconds() noexcept {
    const ngx_time_t* now = ngx_timeofday();
    return static_cast<std::int64_t>(now->sec) * 1000 + static_cast<std::int64_t>(now->msec);
}

}  // namespace token_auth::nginx
