#include "nginx/denial.hpp"

#include "nginx/conf.hpp"
#include "nginx/text.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/text.hpp"

namespace token_auth::nginx {
namespace {

constexpr std::string_view retry_after = "5";  // seconds: a lost store is looked for each second

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

bool add_field(ngx_http_request_t* r, Context& context, std::string_view name,
               std::string_view value) noexcept {
    auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (field == nullptr) {
        return false;
    }
    *field = ngx_table_elt_t{};
    field->hash = 1;
    field->key = str(name);
    field->value = str(value);
    context.fields[context.field_count++] = field;
    return true;
}

// The content of a quoted-string (RFC 9110 section 5.6.4). Control characters, which none may
// hold and which could end the field, are left out.
u_char* append_quoted(u_char* end, std::string_view text) noexcept {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            continue;
        }
        if (c == '"' || c == '\\') {
            *end++ = '\\';
        }
        *end++ = byte;
    }
    return end;
}

// Scopes separated by spaces; what a variable gave that is no scope is left out.
u_char* append_scopes(u_char* end, const Words& scopes) noexcept {
    bool first = true;
    for (std::size_t i = 0; i < scopes.count; ++i) {
        std::string_view value = scopes.values[i];
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            if (is_scope(word)) {
                end = first ? end : append(end, " ");
                end = append(end, word);
                first = false;
            }
        }
    }
    return end;
}

bool add_challenge(ngx_http_request_t* r, Context& context, std::string_view scheme,
                   const Denial& denial) noexcept {
    const Answer& answer_ = answer(context.code);
    std::size_t size = scheme.size() + sizeof(" realm=\"\"") + 2 * denial.realm.size() +
                       sizeof(", error=\"\", error_description=\"\", scope=\"\"") +
                       answer_.error.size() + answer_.detail.size();
    for (std::size_t i = 0; i < denial.scopes.count; ++i) {
        size += denial.scopes.values[i].size() + 1;
    }
    auto* const begin = static_cast<u_char*>(ngx_pnalloc(r->pool, size));
    if (begin == nullptr) {
        return false;
    }
    u_char* end = append(begin, scheme);
    end = append(end, " realm=\"");
    end = append_quoted(end, denial.realm);
    end = append(end, "\"");
    if (!answer_.error.empty()) {
        end = append(end, ", error=\"");
        end = append(end, answer_.error);
        end = append(end, "\", error_description=\"");
        end = append(end, answer_.detail);
        end = append(end, "\"");
    }
    if (context.code == Code::scope_missing) {
        u_char* const before = end;
        end = append(end, ", scope=\"");
        u_char* const first = end;
        end = append_scopes(end, denial.scopes);
        end = end == first ? before : append(end, "\"");
    }
    if (!add_field(r, context, "WWW-Authenticate",
                   {reinterpret_cast<char*>(begin), static_cast<std::size_t>(end - begin)})) {
        return false;
    }
    ngx_table_elt_t* field = context.fields[context.field_count - 1];
    // The core takes what hangs here off an answer that another module lets through.
#if (nginx_version >= 1023000)
    ngx_table_elt_t** last = &r->headers_out.www_authenticate;
    while (*last != nullptr) {
        last = &(*last)->next;
    }
    *last = field;
#else
    if (r->headers_out.www_authenticate == nullptr) {
        r->headers_out.www_authenticate = field;
    }
#endif
    return true;
}

bool add_fields(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept {
    if (!add_field(r, context, "Cache-Control", "no-store")) {
        return false;
    }
    if (answer(context.code).status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return add_field(r, context, "Retry-After", retry_after);
    }
    return ((denial.schemes & scheme_bearer) == 0 || add_challenge(r, context, "Bearer", denial)) &&
           ((denial.schemes & scheme_token) == 0 || add_challenge(r, context, "Token", denial));
}

void log_denial(ngx_http_request_t* r, const Context& context, const Denial& denial) noexcept {
    const Answer& answer_ = answer(context.code);
    ngx_log_t* log = r->connection->log;
    ngx_str_t name = str(answer_.name);
    ngx_str_t id = str(context.token.bytes().empty() ? "-" : context.token.id());
    const ngx_uint_t level =
        context.code == Code::credentials_missing ? NGX_LOG_INFO : NGX_LOG_NOTICE;
    // nginx adds the client and the request line to what it logs for a request, and the latter may
    // hold the token.
    ngx_log_handler_pt const handler = log->handler;
    if (denial.token_from_variable) {
        log->handler = nullptr;
        ngx_log_error(level, log, 0, "token_auth: %ui %V, token id %V, client: %V",
                      static_cast<ngx_uint_t>(answer_.status), &name, &id,
                      &r->connection->addr_text);
    } else {
        ngx_log_error(level, log, 0, "token_auth: %ui %V, token id %V",
                      static_cast<ngx_uint_t>(answer_.status), &name, &id);
    }
    log->handler = handler;
}

// {"type":"about:blank",…}: all of it is static text without anything to escape.
ngx_buf_t* problem_document(ngx_http_request_t* r, const Answer& answer_) noexcept {
    constexpr std::size_t room = 128;
    ngx_buf_t* buffer = ngx_create_temp_buf(
        r->pool, room + answer_.title.size() + answer_.detail.size() + answer_.name.size());
    if (buffer == nullptr) {
        return nullptr;
    }
    ngx_str_t title = str(answer_.title);
    ngx_str_t detail = str(answer_.detail);
    ngx_str_t name = str(answer_.name);
    buffer->last =
        ngx_slprintf(buffer->last, buffer->end,
                     "{\"type\":\"about:blank\",\"title\":\"%V\",\"status\":%ui,\"detail\":\"%V\","
                     "\"code\":\"%V\"}",
                     &title, static_cast<ngx_uint_t>(answer_.status), &detail, &name);
    return buffer;
}

ngx_int_t header_filter(ngx_http_request_t* r) noexcept {
    if (r->err_status == NGX_HTTP_BAD_REQUEST && r == r->main) {
        // Found after an error_page too, which clears the request's own pointer to it.
        const Context* denied = find_context(r);
        if (denied != nullptr && denied->goes_on) {
            r->keepalive = 1;
        }
    }
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    // An error_page clears the context on its way, so what comes here is nginx's own page.
    if (context == nullptr || !context->denied || r != r->main ||
        context->error_body != error_problem ||
        r->headers_out.status != answer(context->code).status) {
        return next_header_filter(r);
    }
    const Answer& answer_ = answer(context->code);
    ngx_buf_t* document = problem_document(r, answer_);
    if (document == nullptr) {
        return NGX_ERROR;
    }
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_content_length(r);
    ngx_http_clear_etag(r);
    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.charset.len = 0;
    r->headers_out.content_length_n = document->last - document->pos;
    context->body_due = true;
    return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept {
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    if (context == nullptr || !context->body_due || in == nullptr || r != r->main) {
        return next_body_filter(r, in);
    }
    // nginx hands its page over in one chain; all of it gives way to ours.
    ngx_buf_t* document = problem_document(r, answer(context->code));
    if (document == nullptr) {
        return NGX_ERROR;
    }
    context->body_due = false;
    document->last_buf = 1;
    document->last_in_chain = 1;
    ngx_chain_t out{document, nullptr};
    return next_body_filter(r, &out);
}

}  // namespace

Words missing_scopes(const Claims& claims, const Requirements& requirements) noexcept {
    const ScopeSets sets = scope_sets(claims);
    for (std::size_t i = 0; i < requirements.scopes.count; ++i) {
        std::string_view value = requirements.scopes.values[i];
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            if (!grants(sets, word)) {
                return requirements.scopes;
            }
        }
    }
    return requirements.scopes_any;
}

ngx_int_t deny(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept {
    take_back(context);  // fields of a denial before an internal redirect
    context.denied = true;
    if (!add_fields(r, context, denial)) {
        // Without memory for a challenge the request is still refused.
        context.code = Code::store_unavailable;
    }
    log_denial(r, context, denial);
    const ngx_int_t status = answer(context.code).status;
    if (status == NGX_HTTP_BAD_REQUEST) {
        // After a 400 nginx closes the connection, as it cannot tell where the next request begins.
        // Here it can: the request was sound, only what a field says was not.
        r->expect_tested = 1;  // the client need not send the body it waits to send
        context.goes_on = r->keepalive && ngx_http_discard_request_body(r) == NGX_OK;
    }
    return status;
}

void take_back(Context& context) noexcept {
    for (ngx_uint_t i = 0; i < context.field_count; ++i) {
        context.fields[i]->hash = 0;
    }
    context.field_count = 0;
    context.denied = false;
}

void install_filters() noexcept {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = body_filter;
}

}  // namespace token_auth::nginx
