// The handlers of the operations, by the file that they are in.
#pragma once

#include <string_view>

#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

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

// session.cpp
Step log_in(Call& call);
Step log_in_by_sso(Call& call);
Step log_out(Call& call);

// health.cpp
Step get_health(Call& call);
Step get_metrics(Call& call);

// openapi.cpp
Step get_openapi(Call& call);
// docs/openapi.json
std::string_view openapi_text() noexcept;

}  // namespace token_auth::tokenapi
