#include "tokenapi/routes.hpp"

#include "tokenapi/operations.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr Route table[] = {
    {"GET", "/healthz", "getHealth", Takes::nothing, Runs::here, get_health},
    {"GET", "/metrics", "getMetrics", Takes::nothing, Runs::here, get_metrics},
    {"GET", "/api/v1/openapi.json", "getOpenapi", Takes::nothing, Runs::here, get_openapi},
};

}  // namespace

std::span<const Route> routes() noexcept {
    return table;
}

}  // namespace token_auth::tokenapi
