// The routes of tokenapi, and the operations that docs/openapi.json describes: each knows the
// other's.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "base/json.hpp"
#include "check.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/routes.hpp"

namespace token_auth::unit {
namespace {

using base::Json;

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

// "GET /healthz" by operationId.
std::map<std::string, std::string> described() {
    std::map<std::string, std::string> out;
    const Json document = Json::parse(tokenapi::openapi_text());
    for (const auto& [path, methods] : document["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            if (operation.is_object() && operation.contains("operationId")) {
                out[operation["operationId"]] = upper(method) + " " + path;
            }
        }
    }
    return out;
}

void each_route_is_described() {
    const auto operations = described();
    check(operations.size() > 40, "{} operations are described", operations.size());
    for (const tokenapi::Route& route : tokenapi::routes()) {
        const auto at = operations.find(route.operation);
        check(at != operations.end(), "{} is not described", route.operation);
        check_equal(at->second, std::string(route.method) + " " + route.path, "{}",
                    route.operation);
    }
}

void each_operation_has_a_route() {
    std::set<std::string> routed;
    for (const tokenapi::Route& route : tokenapi::routes()) {
        check(routed.insert(route.operation).second, "{} has two routes", route.operation);
    }
    for (const auto& [operation, where] : described()) {
        check(routed.count(operation) == 1, "{} ({}) has no route", operation, where);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {UNIT_TEST(each_route_is_described),
                                UNIT_TEST(each_operation_has_a_route)};
    return cmocka_run_group_tests_name("api_routes", tests, nullptr, nullptr);
}
