// How the registry's rows are read: SELECTs, and what is made of a row. For reader.cpp and
// pages.cpp.
#pragma once

#include <string>
#include <string_view>

#include "registry/reader.hpp"

namespace token_auth::registry {

inline constexpr std::string_view select_roles = "SELECT id, scopes, description FROM roles";
inline constexpr std::string_view select_scopes = "SELECT scope, description FROM scopes";
inline constexpr std::string_view select_organizations =
    "SELECT id, suspended, created_at, display_name, system, max_life, default_life, "
    "require_allow, max_tokens FROM organizations";
inline constexpr std::string_view select_groups =
    "SELECT organization, id, created_at FROM org_groups";
inline constexpr std::string_view select_users =
    "SELECT id, technical, disabled, created_at, display_name, email, sso_name FROM users";
inline constexpr std::string_view select_memberships =
    "SELECT user_id, organization, role, created_at, '' FROM memberships";
inline constexpr std::string_view select_group_memberships =
    "SELECT user_id, organization, role, created_at, group_id FROM group_memberships";
inline constexpr std::string_view audit_columns =
    "seq, at, \"session_user\", actor, via, token, address, action, entity, key, organization, "
    "group_id, detail";
// Of tokens t, their users u and organizations o.
const std::string& select_tokens();

Role role_of(const Rows& row);
ScopeEntry scope_of(const Rows& row);
Organization organization_of(const Rows& row);
Group group_of(const Rows& row);
User user_of(const Rows& row);
Membership membership_of(const Rows& row);
TokenView view_of(const Rows& row, const Location& location);
AuditRow audit_row_of(const Rows& row);

}  // namespace token_auth::registry
