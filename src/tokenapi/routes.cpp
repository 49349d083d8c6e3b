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
    {"POST", "/api/v1/auth_token", "retrieveToken", Takes::json_or_nothing, Runs::worker,
     retrieve_token},
    {"GET", "/api/v1/openapi.json", "getOpenapi", Takes::nothing, Runs::here, get_openapi},
};

}  // namespace

std::span<const Route> routes() noexcept {
    return table;
}

}  // namespace token_auth::tokenapi
