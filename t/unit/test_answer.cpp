// The answers, against the documented table.
#include <cstddef>
#include <string_view>

#include "check.hpp"
#include "token_auth/answer.hpp"

namespace token_auth::unit {
namespace {

struct Row {
    Code code;
    std::string_view name;
    unsigned status;
    std::string_view error;
    std::string_view detail;
};

// In the order of the checks.
constexpr Row rows[] = {
    {Code::credentials_missing, "credentials_missing", 401, "", "Authentication is required."},
    {Code::request_malformed, "request_malformed", 400, "invalid_request",
     "Authorization header is malformed."},
    {Code::token_malformed, "token_malformed", 401, "invalid_token", "Token is malformed."},
    {Code::store_unavailable, "store_unavailable", 503, "", "Token store is unavailable."},
    {Code::store_stale, "store_stale", 503, "", "Token store is out of date."},
    {Code::token_unknown, "token_unknown", 401, "invalid_token", "Token is invalid."},
    {Code::token_revoked, "token_revoked", 401, "invalid_token", "Token is revoked."},
    {Code::token_not_yet_valid, "token_not_yet_valid", 401, "invalid_token",
     "Token is not valid yet."},
    {Code::token_expired, "token_expired", 401, "invalid_token", "Token has expired."},
    {Code::address_not_allowed, "address_not_allowed", 403, "insufficient_scope",
     "Client address is not allowed for this token."},
    {Code::kind_not_allowed, "kind_not_allowed", 403, "insufficient_scope",
     "This kind of token is not allowed here."},
    {Code::organization_missing, "organization_missing", 401, "invalid_token",
     "Token is missing organization claim."},
    {Code::organization_malformed, "organization_malformed", 400, "invalid_request",
     "Organization is malformed."},
    {Code::organization_mismatch, "organization_mismatch", 403, "insufficient_scope",
     "Token belongs to another organization."},
    {Code::not_a_member, "not_a_member", 403, "insufficient_scope",
     "Not a member of this organization."},
    {Code::organization_suspended, "organization_suspended", 403, "insufficient_scope",
     "Organization is suspended."},
    {Code::group_missing, "group_missing", 403, "insufficient_scope",
     "Token is not for this group."},
    {Code::role_missing, "role_missing", 403, "insufficient_scope",
     "Token lacks the required role."},
    {Code::scope_missing, "scope_missing", 403, "insufficient_scope",
     "Token lacks the required scope."},
};

std::string_view title_of(unsigned status) {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 503:
            return "Service Unavailable";
    }
    return "";
}

void denials() {
    check_equal(std::size(rows) + 3, code_count, "rows, with those let through");
    for (const Row& row : rows) {
        const Answer& got = answer(row.code);
        check_equal(got.code, row.code, "code of {}", row.name);
        check_equal(got.name, row.name, "name of {}", row.name);
        check_equal(unsigned{got.status}, row.status, "status of {}", row.name);
        check_equal(got.error, row.error, "error of {}", row.name);
        check_equal(got.title, title_of(row.status), "title of {}", row.name);
        check_equal(got.detail, row.detail, "detail of {}", row.name);
    }
}

void order_of_checking() {
    for (std::size_t i = 1; i < std::size(rows); ++i) {
        check(rows[i - 1].code < rows[i].code, "{} must come before {}", rows[i - 1].name,
              rows[i].name);
    }
}

void let_through() {
    const Row passing[] = {{Code::ok, "ok", 0, "", ""},
                           {Code::anonymous, "anonymous", 0, "", ""},
                           {Code::preflight, "preflight", 0, "", ""}};
    for (const Row& row : passing) {
        const Answer& got = answer(row.code);
        check_equal(got.name, row.name, "name of {}", row.name);
        check_equal(unsigned{got.status}, row.status, "status of {}", row.name);
        check_equal(got.error, row.error, "error of {}", row.name);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(denials),
        UNIT_TEST(order_of_checking),
        UNIT_TEST(let_through),
    };
    return cmocka_run_group_tests_name("answer", tests, nullptr, nullptr);
}
