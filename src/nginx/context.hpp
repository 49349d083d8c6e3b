// The module's state for one request. The access handler writes it, and so do variables that are
// asked for early; variables and the filters of denials read it.
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

struct Expression;
struct LocConf;

// A location that checked the request; see forward().
struct Check {
    const LocConf* conf;  // null: none yet
    const Check* next;
};

// A credential that was taken: it counts for later checks, even if it is gone from where it stood.
struct Taken {
    bool is_set;
    bool is_repeated;         // there were several Authorization fields
    const Expression* place;  // null: the Authorization field
    std::string_view value;
    const Taken* next;
};

// What was decided about a request.
struct Decision {
    bool decided;  // there is a result
    Code code;
    bool let_in;
    const LocConf* conf;  // of the location that decided

    // Copies in the request's pool. The token is set if it is known; what follows counts only if it
    // is let in: a refused token speaks for nobody.
    TokenView token;
    std::string_view organization;
    std::string_view role;
    std::string_view role_scopes;

    std::uint64_t generation;  // 0: no store was read
    std::int64_t synced;       // Unix milliseconds
};

// A decision that a variable was asked for, rather than the access phase. It changes no answer and
// no field; the access phase decides anew, but need not look the same token up again.
struct EarlyDecision : Decision {
    // The rest of what was looked up, if the token is known.
    ngx_msec_t looked_up;  // when, as ngx_current_msec
    bool member;
    bool suspended;

    // What it was looked up by.
    std::string_view presented;
    OrganizationMode organization_mode;
    std::string_view named_organization;
};

// What outlasts a decision.
struct Kept {
    // The header fields of the last denial.
    ngx_table_elt_t* fields[denial_fields_max];
    std::uint8_t field_count;
    bool may_be_anothers;  // under "satisfy any", another module's refusal may become the answer
    std::uint16_t status;  // of the answer that they belong to

    bool answered;      // an answer is on its way: nobody makes the module decide any more
    bool is_rechecked;  // see start_recheck()

    EarlyDecision* early;  // if it is later than the access phase's
    std::uint64_t noted;   // the token whose use was noted last; see note_use()
    Taken taken;
    Check checks;
    const void* forwarded;               // the elements of the fields that forward() made
    const ngx_list_part_t* unforwarded;  // the fields before forward() first changed them
    const ngx_list_part_t* unstripped;   // those with the client's own X-Token-..., if it sent any
};

// The decision is that of the access phase.
struct Context : Decision {
    bool deciding;         // variables are asked for by the module's own directives
    bool deciding_early;   // for kept.early
    bool names_itself;     // and some were the module's
    bool denied;           // it is a denial that still stands
    bool keep_connection;  // although this is a 400
    bool logging;          // the request has reached the log phase

    ngx_buf_t* body;  // of a denial whose header has been sent, but not yet its body

    Kept kept;
};

// The context of a main request whose r->ctx an internal redirect has cleared; null if there is
// none.
Context* find_cleared_context(ngx_http_request_t* r) noexcept;

// Returns the subrequest's own context, if check_subrequest() made one, else the main request's.
// Null if there is none.
inline Context* find_context(ngx_http_request_t* r) noexcept {
    auto* context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    if (context == nullptr && r != r->main) {
        r = r->main;
        context = static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_token_auth_module));
    }
    return context != nullptr || (!r->internal && !r->filter_finalize) ? context
                                                                       : find_cleared_context(r);
}

// The request's fields without those that forward() put in: these are not the client's.
inline const ngx_list_part_t& client_fields(const ngx_http_request_t* r,
                                            const Context& context) noexcept {
    return context.kept.unforwarded != nullptr ? *context.kept.unforwarded
                                               : r->headers_in.headers.part;
}

// Makes the main request's context. Null if out of memory.
Context* make_context(ngx_http_request_t* r) noexcept;

// Returns the request's context, or makes it. Null if out of memory.
inline Context* obtain_context(ngx_http_request_t* r) noexcept {
    Context* const context = find_context(r);
    return context != nullptr ? context : make_context(r);
}

// Obtains the context if token_auth is on in the location; else null.
Context* obtain_context_if_on(ngx_http_request_t* r) noexcept;

// Notes that the main request is answered. Null if the module has nothing to do with it.
inline Context* note_answer(ngx_http_request_t* r) noexcept {
    Context* context = find_context(r);
    if (context == nullptr) {
        context = obtain_context_if_on(r);
    }
    if (context != nullptr) {
        context->kept.answered = true;
    }
    return context;
}

inline const Decision& last_decision(const Context& context) noexcept {
    return context.kept.early != nullptr ? *context.kept.early
                                         : static_cast<const Decision&>(context);
}

// Clears the access phase's last decision for a new one.
void begin_decision(ngx_http_request_t* r, Context& context, const LocConf& conf) noexcept;

// Copies what the claims of a known token say into the request's pool: of a refused one what logs
// name, and all of it for an early decision. False without memory.
bool remember(ngx_http_request_t* r, Context& context, const Claims& claims, bool let_in) noexcept;

// What a decision says of its token; empty if it says nothing. False without memory.
enum class Field : std::uint8_t { id, kind, name, subject, organization, group, role, scopes };
bool field_of(ngx_http_request_t* r, const Decision& decision, Field field,
              std::string_view& out) noexcept;

}  // namespace token_auth::nginx
