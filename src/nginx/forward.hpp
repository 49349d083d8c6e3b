// Forwarding: what an upstream gets of the caller's identity, and what it does not get.
//
// nginx's upstream modules send the request's fields as they find them in r->headers_in, so the
// module changes these: every upstream, mirror and subrequest then gets the same.
#pragma once

#include "nginx/conf.hpp"
#include "nginx/context.hpp"

namespace token_auth::nginx {

// A field that names the caller.
struct IdentityField {
    std::string_view name;
    std::string_view lower;
    Field field;
};

extern const IdentityField identity_fields[7];

// Phase handlers: take a client's own X-Token-... fields off.
ngx_int_t post_read_handler(ngx_http_request_t* r) noexcept;
ngx_int_t rewrite_handler(ngx_http_request_t* r) noexcept;

// For a check that is not the first.
bool note_further_check(ngx_http_request_t* r, Context& context, const LocConf& conf) noexcept;

// Notes that `conf` checks the request, so that forward() takes off what it reads. False without
// memory.
inline bool note_check(ngx_http_request_t* r, Context& context, const LocConf& conf) noexcept {
    if (conf.forward == 0) {
        return true;
    }
    if (context.kept.checks.conf != nullptr) {
        return note_further_check(r, context, conf);
    }
    context.kept.checks.conf = &conf;
    return true;
}

// Whether the request's fields are not yet those that an upstream is to get.
inline bool must_forward(const ngx_http_request_t* r, const Context& context) noexcept {
    return context.kept.checks.conf != nullptr &&
           r->headers_in.headers.part.elts != context.kept.forwarded;
}

// Takes credentials and organizations off the request's fields and puts the identity in. False
// without memory.
bool forward(ngx_http_request_t* r, Context& context) noexcept;

}  // namespace token_auth::nginx
