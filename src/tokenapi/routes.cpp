#include "tokenapi/routes.hpp"

#include "tokenapi/operations.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr Route table[] = {
    {"GET", "/healthz", "getHealth", Takes::nothing, Runs::here, get_health},
    {"GET", "/metrics", "getMetrics", Takes::nothing, Runs::here, get_metrics},
    {"POST", "/api/v1/session", "logIn", Takes::json, Runs::worker, log_in},
    {"DELETE", "/api/v1/session", "logOut", Takes::nothing, Runs::worker, log_out},
    {"POST", "/api/v1/session/sso", "logInBySso", Takes::json_or_nothing, Runs::worker,
     log_in_by_sso},
    {"GET", "/api/v1/me", "getMe", Takes::nothing, Runs::worker, get_me},
    {"PATCH", "/api/v1/me", "updateMe", Takes::json, Runs::worker, update_me},
    {"PUT", "/api/v1/me/password", "changeMyPassword", Takes::json, Runs::worker,
     change_my_password},
    {"DELETE", "/api/v1/me/sessions", "endMySessions", Takes::nothing, Runs::worker,
     end_my_sessions},
    {"GET", "/api/v1/users", "listUsers", Takes::nothing, Runs::worker, list_users},
    {"POST", "/api/v1/users", "createUser", Takes::json, Runs::worker, create_user},
    {"GET", "/api/v1/users/{user}", "getUser", Takes::nothing, Runs::worker, get_user},
    {"PATCH", "/api/v1/users/{user}", "updateUser", Takes::json, Runs::worker, update_user},
    {"DELETE", "/api/v1/users/{user}", "deleteUser", Takes::nothing, Runs::worker, delete_user},
    {"PUT", "/api/v1/users/{user}/password", "setUserPassword", Takes::json, Runs::worker,
     set_user_password},
    {"GET", "/api/v1/roles", "listRoles", Takes::nothing, Runs::worker, list_roles},
    {"GET", "/api/v1/roles/{role}", "getRole", Takes::nothing, Runs::worker, get_role},
    {"PUT", "/api/v1/roles/{role}", "putRole", Takes::json, Runs::worker, put_role},
    {"DELETE", "/api/v1/roles/{role}", "deleteRole", Takes::nothing, Runs::worker, delete_role},
    {"GET", "/api/v1/scopes", "getScopes", Takes::nothing, Runs::worker, get_scopes},
    {"PUT", "/api/v1/scopes", "putScopes", Takes::json, Runs::worker, put_scopes},
    {"GET", "/api/v1/audit", "listAudit", Takes::nothing, Runs::worker, list_audit},
    {"POST", "/oauth/introspect", "introspectToken", Takes::form, Runs::worker, introspect_token},
    {"POST", "/oauth/revoke", "revokeTokenByValue", Takes::form, Runs::worker,
     revoke_token_by_value},
    {"POST", "/api/v1/auth_token", "retrieveToken", Takes::json_or_nothing, Runs::worker,
     retrieve_token},
    {"GET", "/api/v1/openapi.json", "getOpenapi", Takes::nothing, Runs::here, get_openapi},
};

}  // namespace

std::span<const Route> routes() noexcept {
    return table;
}

}  // namespace token_auth::tokenapi
