#include "registry/rows.hpp"

#include <fmt/format.h>

#include "registry/token_columns.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {

const std::string& select_tokens() {
    static const std::string sql = fmt::format(
        "SELECT {}, {}, o.suspended FROM tokens t LEFT JOIN users u ON u.id = t.user_id "
        "LEFT JOIN organizations o ON o.id = t.organization",
        select_list(TokenPart::whole), user_disabled_column);
    return sql;
}

Role role_of(const Rows& row) {
    return {std::string(row.text(0)), canonical(split_words(row.text(1))),
            std::string(row.text(2))};
}

ScopeEntry scope_of(const Rows& row) {
    return {std::string(row.text(0)), std::string(row.text(1))};
}

Organization organization_of(const Rows& row) {
    const Policy policy{row.integer(5), row.integer(6), row.integer(7) != 0, row.integer(8)};
    return {std::string(row.text(0)), row.integer(1) != 0, row.integer(2),
            std::string(row.text(3)), row.integer(4) != 0, policy};
}

Group group_of(const Rows& row) {
    return {std::string(row.text(0)), std::string(row.text(1)), row.integer(2)};
}

User user_of(const Rows& row) {
    return {std::string(row.text(0)), row.integer(1) != 0,      row.integer(2) != 0,
            row.integer(3),           std::string(row.text(4)), std::string(row.text(5)),
            std::string(row.text(6))};
}

Membership membership_of(const Rows& row) {
    return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)),
            row.integer(3), std::string(row.text(4))};
}

TokenView view_of(const Rows& row, const Location& location) {
    const int columns = column_count(TokenPart::whole);
    TokenView view;
    read_token(row, TokenPart::whole, location, view.token);
    view.token.user_disabled = row.integer(columns) != 0;
    view.organization_suspended = row.integer(columns + 1) != 0;
    return view;
}

AuditRow audit_row_of(const Rows& row) {
    AuditRow out;
    out.seq = row.integer(0);
    out.at = row.integer(1);
    int at = 2;
    for (std::string AuditRow::*member :
         {&AuditRow::session_user, &AuditRow::actor, &AuditRow::via, &AuditRow::token,
          &AuditRow::address, &AuditRow::action, &AuditRow::entity, &AuditRow::key,
          &AuditRow::organization, &AuditRow::group, &AuditRow::detail}) {
        out.*member = row.text(at++);
    }
    return out;
}

}  // namespace token_auth::registry
