// The handlers of the operations, by the file that they are in.
#pragma once

#include <string_view>

#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// audit.cpp
Step list_audit(Call& call);

// auth_token.cpp
Step retrieve_token(Call& call);

// me.cpp
Step get_me(Call& call);
Step update_me(Call& call);
Step change_my_password(Call& call);
Step end_my_sessions(Call& call);

// organizations.cpp
Step list_organizations(Call& call);
Step create_organization(Call& call);
Step get_organization(Call& call);
Step update_organization(Call& call);
Step delete_organization(Call& call);

// groups.cpp
Step list_groups(Call& call);
Step create_group(Call& call);
Step get_group(Call& call);
Step delete_group(Call& call);

// members.cpp; of organizations and groups
Step list_members(Call& call);
Step get_member(Call& call);
Step put_member(Call& call);
Step remove_member(Call& call);

// new_tokens.cpp, tokens.cpp, grants.cpp; personal ones, of organizations, and of groups
Step create_token(Call& call);
Step list_tokens(Call& call);
Step get_token(Call& call);
Step update_token(Call& call);
Step delete_token(Call& call);
Step revoke_token(Call& call);
Step restore_token(Call& call);
Step rotate_token(Call& call);
Step get_grants(Call& call);

// oauth.cpp
Step introspect_token(Call& call);
Step revoke_token_by_value(Call& call);

// roles.cpp
Step list_roles(Call& call);
Step get_role(Call& call);
Step put_role(Call& call);
Step delete_role(Call& call);
Step get_scopes(Call& call);
Step put_scopes(Call& call);

// session.cpp
Step get_log_in_methods(Call& call);
Step log_in(Call& call);
Step log_in_by_sso(Call& call);
Step log_out(Call& call);

// users.cpp
Step list_users(Call& call);
Step create_user(Call& call);
Step get_user(Call& call);
Step update_user(Call& call);
Step delete_user(Call& call);
Step set_user_password(Call& call);

// health.cpp
Step get_health(Call& call);
Step get_metrics(Call& call);

// openapi.cpp
Step get_openapi(Call& call);
// docs/openapi.json
std::string_view openapi_text() noexcept;

}  // namespace token_auth::tokenapi
