// The module's state for one request. The access handler writes it; variables and the filters of
// denials read it.
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
    bool decided;          // there is a result
    bool denied;           // it is a denial that still stands
    bool body_pending;     // the denial's header has been sent, its body has not
    bool keep_connection;  // although this is a 400
    bool logging;          // the request has reached the log phase
    Code code;
    ngx_uint_t error_body;  // of the location that denied

    // Copies in the request's pool. The first group is set for every known token (see
    // names_token()), the second only for a token that is let in.
    std::string_view id;
    std::string_view kind;
    std::string_view name;
    std::int64_t expires;  // 0: never

    std::string_view subject;
    std::string_view organization;
    std::string_view group;
    std::string_view role;
    std::string_view role_scopes;
    std::string_view token_scopes;

    std::uint64_t generation;  // 0: no store was read
    std::int64_t synced;       // Unix milliseconds

    // The header fields of the denial.
    ngx_table_elt_t* fields[denial_fields_max];
    ngx_uint_t field_count;
};

// Returns the main request's context, even after an internal redirect, which clears r->ctx. Null if
// there is none.
Context* find_context(ngx_http_request_t* r) noexcept;

// Creates the context, or clears it except for the fields of the last denial. Null if out of
// memory.
Context* obtain_context(ngx_http_request_t* r) noexcept;

// Whether variables may name the token. A refused token is named in its refusal and in the log, but
// not if the request goes on, to an error_page or under "satisfy any".
bool names_token(ngx_http_request_t* r, const Context& context) noexcept;

// Copies the claims of a known token into the context; `room` has size_to_remember() bytes of the
// request's pool. It reads the store's map, so call it guarded: the context changes only after the
// last read.
void remember(Context& context, const Claims& claims, bool let_in, char* room) noexcept;
std::size_t size_to_remember(const Claims& claims) noexcept;

}  // namespace token_auth::nginx
