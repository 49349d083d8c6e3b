#include "nginx/denial.hpp"

#include "nginx/conf.hpp"
#include "nginx/request.hpp"
#include "nginx/text.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/text.hpp"

namespace token_auth::nginx {
namespace {

constexpr std::string_view retry_after =
    "5";  // seconds; workers look for a lost store every second

constexpr std::uint16_t proxy_authentication_required = 407;  // RFC 9110 section 15.5.8

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

std::uint16_t status_of(const ngx_http_request_t* r, const Context& context) noexcept {
    std::uint16_t status = answer(context.code).status;
    if (status == NGX_HTTP_BAD_REQUEST && context.conf->verifies) {
        status = NGX_HTTP_UNAUTHORIZED;  // who asks takes a 400 for an error of its own
    }
    return status == NGX_HTTP_UNAUTHORIZED && is_connect(r) ? proxy_authentication_required
                                                            : status;
}

// The reason phrase of the status.
std::string_view title_of(const Context& context) noexcept {
    const Answer& answer_ = answer(context.code);
    if (context.kept.status == answer_.status) {
        return answer_.title;
    }
    return context.kept.status == proxy_authentication_required ? "Proxy Authentication Required"
                                                                : "Unauthorized";
}

// Null if out of memory.
ngx_table_elt_t* add_field(ngx_http_request_t* r, Context& context, std::string_view name,
                           std::string_view value) noexcept {
    ngx_table_elt_t* const field = add_response_field(r, name, value);
    if (field != nullptr) {
        context.kept.fields[context.kept.field_count++] = field;
    }
    return field;
}

// Appends the content of a quoted-string (RFC 9110 section 5.6.4), without control characters,
// which are not allowed there and could end the field.
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

// Appends scopes, separated by spaces. Words from variables that are not scopes are left out.
u_char* append_scopes(u_char* end, const Words& scopes) noexcept {
    std::string_view separator;
    for (const std::string_view word : scopes) {
        if (is_scope(word)) {
            end = append(append(end, separator), word);
            separator = " ";
        }
    }
    return end;
}

std::size_t challenge_size(std::string_view scheme, const Denial& denial,
                           const Answer& answer_) noexcept {
    std::size_t size = scheme.size() + sizeof(" realm=\"\"") + 2 * denial.realm.size() +
                       sizeof(", error=\"\", error_description=\"\", scope=\"\"") +
                       answer_.error.size() + answer_.detail.size();
    if (denial.scopes != nullptr) {
        for (const std::string_view scope : *denial.scopes) {
            size += scope.size() + 1;
        }
    }
    return size;
}

u_char* append_challenge(u_char* end, std::string_view scheme, const Denial& denial,
                         const Answer& answer_) noexcept {
    end = append(end, scheme);
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
    if (denial.scopes != nullptr) {
        u_char* const before = end;
        u_char* const scopes = append(end, ", scope=\"");
        end = append_scopes(scopes, *denial.scopes);
        end = end == scopes ? before : append(end, "\"");
    }
    return end;
}

// nginx's core removes the fields linked here if another module lets the request in.
void link_challenge(ngx_http_request_t* r, ngx_table_elt_t* field) noexcept {
#if (nginx_version >= 1023000)
    ngx_table_elt_t** last = &r->headers_out.www_authenticate;
#ifdef NGX_HTTP_PROXY_AUTH_REQUIRED  // since nginx passes CONNECT on
    if (is_connect(r)) {
        last = &r->headers_out.proxy_authenticate;
    }
#endif
    while (*last != nullptr) {
        last = &(*last)->next;
    }
    *last = field;
#else
    if (r->headers_out.www_authenticate == nullptr) {
        r->headers_out.www_authenticate = field;
    }
#endif
}

bool add_challenge(ngx_http_request_t* r, Context& context, std::string_view scheme,
                   const Denial& denial) noexcept {
    const Answer& answer_ = answer(context.code);
    auto* const begin =
        static_cast<u_char*>(ngx_pnalloc(r->pool, challenge_size(scheme, denial, answer_)));
    if (begin == nullptr) {
        return false;
    }
    const u_char* const end = append_challenge(begin, scheme, denial, answer_);
    ngx_table_elt_t* field =
        add_field(r, context, is_connect(r) ? "Proxy-Authenticate" : "WWW-Authenticate",
                  {reinterpret_cast<char*>(begin), static_cast<std::size_t>(end - begin)});
    if (field == nullptr) {
        return false;
    }
    link_challenge(r, field);
    return true;
}

bool add_fields(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept {
    if (add_field(r, context, "Cache-Control", "no-store") == nullptr) {
        return false;
    }
    if (context.kept.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return add_field(r, context, "Retry-After", retry_after) != nullptr;
    }
    return ((denial.schemes & scheme_bearer) == 0 || add_challenge(r, context, "Bearer", denial)) &&
           ((denial.schemes & scheme_token) == 0 || add_challenge(r, context, "Token", denial));
}

// The field to name the organization in, if it is missing and looked for in one.
std::string_view remedy_field(const Context& context) noexcept {
    return context.code == Code::organization_missing && context.conf->organization->is_field
               ? view(context.conf->organization->field_name)
               : std::string_view{};
}

void log_denial(ngx_http_request_t* r, const Context& context, const Denial& denial) noexcept {
    const Answer& answer_ = answer(context.code);
    ngx_log_t* log = r->connection->log;
    const ngx_uint_t level =
        context.code == Code::credentials_missing ? NGX_LOG_INFO : NGX_LOG_NOTICE;
    if (log->log_level < level) {
        return;
    }
    ngx_str_t name = str(answer_.name);
    const ngx_uint_t status = context.kept.status;
    const std::string_view claimed = claimed_id(denial.unknown_token);
    ngx_str_t id = str(!context.token.bytes().empty() ? context.token.id()
                       : !claimed.empty()             ? claimed
                                                      : "-");
    const char* const mark = claimed.empty() ? "" : " (unproven)";
    ngx_str_t remedy = str(remedy_field(context));
    const char* const before_remedy =
        remedy.len == 0 ? "" : ", remedy: Name the organization in the ";
    const char* const after_remedy = remedy.len == 0 ? "" : " request header.";
    // nginx's log handler adds the client and the request line, which may contain the token.
    ngx_log_handler_pt const handler = log->handler;
    if (denial.token_from_variable) {
        log->handler = nullptr;
        ngx_log_error(level, log, 0, "token_auth: %ui %V, token id %V%s%s%V%s, client: %V", status,
                      &name, &id, mark, before_remedy, &remedy, after_remedy,
                      &r->connection->addr_text);
    } else {
        ngx_log_error(level, log, 0, "token_auth: %ui %V, token id %V%s%s%V%s", context.kept.status,
                      &name, &id, mark, before_remedy, &remedy, after_remedy);
    }
    log->handler = handler;
}

// Nothing in the document needs to be escaped: all of it is static text, but for a field's name,
// which consists of letters, digits and hyphens.
ngx_buf_t* problem_document(ngx_http_request_t* r, const Context& context) noexcept {
    constexpr std::size_t room = 256;
    const Answer& answer_ = answer(context.code);
    const std::string_view field = remedy_field(context);
    const std::string_view title = title_of(context);
    ngx_buf_t* buffer = ngx_create_temp_buf(
        r->pool, room + title.size() + answer_.detail.size() + answer_.name.size() + field.size());
    if (buffer == nullptr) {
        return nullptr;
    }
    const ngx_uint_t status = context.kept.status;
    const char digits[] = {static_cast<char>('0' + status / 100),
                           static_cast<char>('0' + status / 10 % 10),
                           static_cast<char>('0' + status % 10)};
    u_char* end = buffer->last;
    end = append(end, R"({"type":"about:blank","title":")");
    end = append(end, title);
    end = append(end, R"(","status":)");
    end = append(end, {digits, sizeof(digits)});
    end = append(end, R"(,"detail":")");
    end = append(end, answer_.detail);
    end = append(end, R"(","code":")");
    end = append(end, answer_.name);
    if (!field.empty()) {
        end = append(end, R"(","remedy":"Name the organization in the )");
        end = append(end, field);
        end = append(end, " request header.");
    }
    buffer->last = append(end, R"("})");
    return buffer;
}

// Whether the location that answers may keep the connection, by ngx_http_update_location_config().
bool may_keep_connection(ngx_http_request_t* r) noexcept {
    const auto& core = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return core.keepalive_timeout != 0 && r->connection->requests < core.keepalive_requests &&
           ngx_current_msec - r->connection->start_time <= core.keepalive_time;
}

// Whether the answer is still the refusal, and not where an error_page led to.
bool is_refusal(const Kept& kept, ngx_uint_t status) noexcept {
    return status == kept.status ||
           (kept.may_be_anothers &&
            (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN ||
             status == proxy_authentication_required));
}

void replace_page(ngx_http_request_t* r, std::string_view content_type, off_t size) noexcept {
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_content_length(r);
    ngx_http_clear_etag(r);
    r->headers_out.content_type = str(content_type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.charset.len = 0;
    r->headers_out.content_length_n = size;
}

// False without memory.
bool become_problem(ngx_http_request_t* r, Context& context) noexcept {
    context.body = problem_document(r, context);
    if (context.body == nullptr) {
        return false;
    }
    replace_page(r, "application/problem+json", context.body->last - context.body->pos);
    return true;
}

// Whether the request's Content-Type is gRPC's, but not that of gRPC-Web.
bool is_grpc(const ngx_http_request_t* r) noexcept {
    constexpr std::string_view type = "application/grpc";
    const ngx_table_elt_t* const field = r->headers_in.content_type;
    if (field == nullptr || field->value.len < type.size() ||
        ngx_strncasecmp(field->value.data, str(type).data, type.size()) != 0) {
        return false;
    }
    const std::string_view rest = view(field->value).substr(type.size());
    return rest.empty() || rest.front() == ';' || rest.front() == '+';
}

bool refuses_in_grpc(const ngx_http_request_t* r, const Context& context) noexcept {
    // Who asks by token_auth_verify takes the 200 of gRPC's form for a yes.
    return context.conf->error_body == error_grpc && !context.conf->verifies && is_grpc(r);
}

// The codes of UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT and UNAVAILABLE.
std::string_view grpc_status(Code code) noexcept {
    switch (answer(code).status) {
        case NGX_HTTP_UNAUTHORIZED:
            return "16";
        case NGX_HTTP_FORBIDDEN:
            return "7";
        case NGX_HTTP_BAD_REQUEST:
            return "3";
        default:
            return "14";
    }
}

// "Trailers-Only" of gRPC over HTTP/2. The message needs no encoding: all of it is static text.
// False without memory.
bool become_grpc(ngx_http_request_t* r, const Context& context) noexcept {
    replace_page(r, "application/grpc", 0);
    r->err_status = 0;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.status_line.len = 0;
    r->header_only = 1;
    return add_response_field(r, "grpc-status", grpc_status(context.code)) != nullptr &&
           add_response_field(r, "grpc-message", answer(context.code).detail) != nullptr;
}

// The header of an answer to a request that was denied at some time.
[[gnu::noinline]] ngx_int_t filter_denied_header(ngx_http_request_t* r, Context& context) noexcept {
    if (r->err_status == NGX_HTTP_BAD_REQUEST && context.keep_connection &&
        may_keep_connection(r)) {
        r->keepalive = 1;
    }
    if (context.kept.field_count != 0 && !is_refusal(context.kept, r->headers_out.status)) {
        retract(context);
    }
    // An error_page clears r->ctx, so with a context, this is nginx's own page.
    const bool is_own = ngx_http_get_module_ctx(r, ngx_http_token_auth_module) != nullptr &&
                        context.denied && context.conf->error_body != error_html &&
                        r->headers_out.status == context.kept.status;
    if (is_own &&
        !(refuses_in_grpc(r, context) ? become_grpc(r, context) : become_problem(r, context))) {
        return NGX_ERROR;
    }
    return next_header_filter(r);
}

ngx_int_t header_filter(ngx_http_request_t* r) noexcept {
    Context* const context = r == r->main ? note_answer(r) : nullptr;
    return context == nullptr ||
                   (context->kept.field_count == 0 && !context->denied && !context->keep_connection)
               ? next_header_filter(r)
               : filter_denied_header(r, *context);
}

// nginx sends its page in one chain, so the document replaces all of it at once.
[[gnu::noinline]] ngx_int_t send_document(ngx_http_request_t* r, Context& context) noexcept {
    ngx_chain_t out{context.body, nullptr};
    context.body->last_buf = 1;
    context.body->last_in_chain = 1;
    context.body = nullptr;
    return next_body_filter(r, &out);
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept {
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    return context == nullptr || context->body == nullptr || in == nullptr || r != r->main
               ? next_body_filter(r, in)
               : send_document(r, *context);
}

}  // namespace

ngx_int_t deny(ngx_http_request_t* r, Context& context, const Denial& denial) noexcept {
    retract(context);  // a denial before an internal redirect
    context.denied = true;
    context.kept.status = status_of(r, context);
    context.kept.may_be_anothers = static_cast<const ngx_http_core_loc_conf_t*>(
                                       ngx_http_get_module_loc_conf(r, ngx_http_core_module))
                                       ->satisfy == NGX_HTTP_SATISFY_ANY;
    if (!add_fields(r, context, denial)) {
        // Out of memory: refuse without a challenge.
        context.code = Code::store_unavailable;
        context.kept.status = status_of(r, context);
    }
    log_denial(r, context, denial);
    if (context.kept.status == NGX_HTTP_BAD_REQUEST) {
        // After a 400, nginx closes the connection, because it cannot tell where the next request
        // begins. Here it can: nginx has parsed the request, only a field's value is malformed.
        r->expect_tested = 1;  // no "100 Continue" for a body that is discarded
        context.keep_connection = r->keepalive && ngx_http_discard_request_body(r) == NGX_OK;
    }
    return static_cast<ngx_int_t>(context.kept.status);
}

bool add_grpc_trailers(ngx_http_request_t* r, const Context& context) noexcept {
    if (r->http_version != NGX_HTTP_VERSION_20 || !refuses_in_grpc(r, context)) {
        return false;
    }
    return add_to(r->headers_out.trailers, "grpc-status", grpc_status(context.code)) != nullptr &&
           add_to(r->headers_out.trailers, "grpc-message", answer(context.code).detail) != nullptr;
}

void retract(Context& context) noexcept {
    for (ngx_uint_t i = 0; i < context.kept.field_count; ++i) {
        context.kept.fields[i]->hash = 0;
    }
    context.kept.field_count = 0;
    context.denied = false;
}

void install_filters() noexcept {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = body_filter;
}

}  // namespace token_auth::nginx
