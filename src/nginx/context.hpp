// What the module knows of one request: written by the access handler, read by variables and by
// the filters of denials.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nginx/ngx.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"

namespace token_auth::nginx {

// One WWW-Authenticate for each scheme, Cache-Control, Retry-After.
inline constexpr ngx_uint_t denial_fields_max = 4;

struct Context {
    bool decided;   // there is a result
    bool denied;    // and it is a denial that still stands
    bool body_due;  // the header of the denial is on its way, its body not yet
    bool goes_on;   // the connection can be kept after this 400
    bool logging;   // the request has reached the log phase
    Code code;
    ngx_uint_t error_body;  // of the configuration that denied

    // Copies in the request's pool. The token is set if it is known, what follows only if it is let
    // in: a refused token speaks for nobody. See names_token().
    TokenView token;
    bool let_in;
    std::string_view organization;
    std::string_view role;
    std::string_view role_scopes;

    std::uint64_t generation;  // 0: no store was looked at
    std::int64_t synced;       // Unix milliseconds

    // Header fields that this denial added to the answer.
    ngx_table_elt_t* fields[denial_fields_max];
    ngx_uint_t field_count;
};

// The context of the main request, found again where an internal redirect has cleared r->ctx;
// null where there is none.
Context* find_context(ngx_http_request_t* r) noexcept;

// The same, made where there is none, and otherwise blank but for the fields of the last denial;
// null without memory.
Context* obtain_context(ngx_http_request_t* r) noexcept;

// Whether variables may name the token: one that was let in always; a refused one in its refusal
// and in the log, but never where the request goes on after all (an error_page, "satisfy any").
bool names_token(ngx_http_request_t* r, const Context& context) noexcept;

// Copies what the claims of a known token say into the request's pool. False without memory.
bool remember(ngx_http_request_t* r, Context& context, const Claims& claims, bool let_in) noexcept;

// What a context says of its token; empty if it says nothing. False without memory.
enum class Field : std::uint8_t { id, kind, name, subject, organization, group, role, scopes };
bool field_of(ngx_http_request_t* r, const Context& context, Field field,
              std::string_view& out) noexcept;

}  // namespace token_auth::nginx
