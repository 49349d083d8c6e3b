// The phase handlers.
#pragma once

#include "nginx/context.hpp"
#include "nginx/denial.hpp"
#include "nginx/recheck.hpp"

namespace token_auth::nginx {

// Returns NGX_DECLINED if enforcement is off, NGX_OK if the request is let in, else the status of
// the denial.
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;

// Decides in a subrequest, which nginx's access phase leaves out, for that subrequest alone: it
// then has a context of its own. Returns as access_handler() does.
ngx_int_t check_subrequest(ngx_http_request_t* r) noexcept;

// Looks up and decides again what was decided by `basis`. `denial` gets what the code is about.
Code decide_again(ngx_http_request_t* r, const Basis& basis, Denial& denial) noexcept;

// Retracts our denial: only requests that were let in reach the precontent phase, so another module
// let this one in under "satisfy any". Then forwards the identity, if there is an upstream.
ngx_int_t precontent_handler(ngx_http_request_t* r) noexcept;

// Decides for whoever asks for a variable before the access phase has decided under the location's
// present configuration. `context`, found or null, is that of the main request `r`. False if memory
// is short.
bool decide_for_variable(ngx_http_request_t* r, Context*& context) noexcept;

// Counts the request, and lets variables know that it is being logged.
ngx_int_t log_handler(ngx_http_request_t* r) noexcept;

}  // namespace token_auth::nginx
