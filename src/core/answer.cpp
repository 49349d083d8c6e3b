#include "token_auth/answer.hpp"

namespace token_auth {
namespace {

constexpr Answer answers[code_count] = {
    {Code::ok, 0, "ok", "", "", ""},
    {Code::anonymous, 0, "anonymous", "", "", ""},
    {Code::preflight, 0, "preflight", "", "", ""},
    {Code::credentials_missing, 401, "credentials_missing", "", "Unauthorized",
     "Authentication is required."},
    {Code::request_malformed, 400, "request_malformed", "invalid_request", "Bad Request",
     "Authorization header is malformed."},
    {Code::token_malformed, 401, "token_malformed", "invalid_token", "Unauthorized",
     "Token is malformed."},
    {Code::store_unavailable, 503, "store_unavailable", "", "Service Unavailable",
     "Token store is unavailable."},
    {Code::store_stale, 503, "store_stale", "", "Service Unavailable",
     "Token store is out of date."},
    {Code::token_unknown, 401, "token_unknown", "invalid_token", "Unauthorized",
     "Token is invalid."},
    {Code::token_revoked, 401, "token_revoked", "invalid_token", "Unauthorized",
     "Token is revoked."},
    {Code::token_not_yet_valid, 401, "token_not_yet_valid", "invalid_token", "Unauthorized",
     "Token is not valid yet."},
    {Code::token_expired, 401, "token_expired", "invalid_token", "Unauthorized",
     "Token has expired."},
    {Code::address_not_allowed, 403, "address_not_allowed", "insufficient_scope", "Forbidden",
     "Client address is not allowed for this token."},
    {Code::kind_not_allowed, 403, "kind_not_allowed", "insufficient_scope", "Forbidden",
     "This kind of token is not allowed here."},
    {Code::organization_missing, 401, "organization_missing", "invalid_token", "Unauthorized",
     "Token is missing organization claim."},
    {Code::organization_malformed, 400, "organization_malformed", "invalid_request", "Bad Request",
     "Organization is malformed."},
    {Code::organization_mismatch, 403, "organization_mismatch", "insufficient_scope", "Forbidden",
     "Token belongs to another organization."},
    {Code::not_a_member, 403, "not_a_member", "insufficient_scope", "Forbidden",
     "Not a member of this organization."},
    {Code::organization_suspended, 403, "organization_suspended", "insufficient_scope", "Forbidden",
     "Organization is suspended."},
    {Code::group_missing, 403, "group_missing", "insufficient_scope", "Forbidden",
     "Token is not for this group."},
    {Code::role_missing, 403, "role_missing", "insufficient_scope", "Forbidden",
     "Token lacks the required role."},
    {Code::scope_missing, 403, "scope_missing", "insufficient_scope", "Forbidden",
     "Token lacks the required scope."},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < code_count; ++i) {
        if (answers[i].code != static_cast<Code>(i)) {
            return false;
        }
    }
    return true;
}

static_assert(in_order(), "answers must be in the order of Code");

}  // namespace

const Answer& answer(Code code) noexcept {
    return answers[static_cast<std::size_t>(code)];
}

}  // namespace token_auth
