#include "nginx/verify.hpp"

#include "nginx/access.hpp"
#include "nginx/context.hpp"
#include "nginx/forward.hpp"
#include "nginx/request.hpp"

namespace token_auth::nginx {
namespace {

// False without memory.
bool add_identity(ngx_http_request_t* r) noexcept {
    const Context* const context = find_context(r);
    for (const IdentityField& identity : identity_fields) {
        std::string_view value;
        if (context != nullptr && context->let_in &&
            !field_of(r, *context, identity.field, value)) {
            return false;
        }
        if (add_response_field(r, identity.name, value) == nullptr) {
            return false;
        }
    }
    return true;
}

}  // namespace

ngx_int_t verify_handler(ngx_http_request_t* r) noexcept {
    const ngx_int_t discarded = ngx_http_discard_request_body(r);
    if (discarded != NGX_OK) {
        return discarded;
    }
    const ngx_int_t refusal = r == r->main ? NGX_OK : check_subrequest(r);
    if (refusal != NGX_OK && refusal != NGX_DECLINED) {
        return refusal;
    }
    if (!add_identity(r)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    r->disable_not_modified = 1;  // the client's conditions are not about this answer
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    const ngx_int_t sent = ngx_http_send_header(r);
    return sent == NGX_ERROR || sent > NGX_OK || r->header_only
               ? sent
               : ngx_http_send_special(r, NGX_HTTP_LAST);
}

}  // namespace token_auth::nginx
