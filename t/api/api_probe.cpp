// The server of tokenapi with operations that tests ask for: what they do is as slow, large or
// broken as a request says.
//
// api_probe REGISTRY ADDRESS

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/json.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/cursor.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/routes.hpp"
#include "tokenapi/serve.hpp"
#include "tokenapi/target.hpp"

namespace token_auth::tokenapi {
namespace {

using base::Json;

// What the server took the request for.
Step describe(Call& call) {
    const Request& request = call.request;
    Json parameters = Json::object();
    for (const Parameter& each : call.parameters) {
        parameters[each.name] = each.value;
    }
    return json_response(200, {{"method", request.method},
                               {"arguments", call.arguments},
                               {"parameters", parameters},
                               {"address", request.client_address()},
                               {"size", request.body.size()}});
}

Step echo(Call& call) {
    return json_response(200, parse_object(call.request.body));
}

Step form(Call& call) {
    const auto parameters = parse_parameters(call.request.body);
    if (!parameters) {
        throw Problem(ProblemCode::body_malformed);
    }
    Json out = Json::object();
    for (const Parameter& each : *parameters) {
        out[each.name] = each.value;
    }
    return json_response(200, out);
}

void sleep_for(std::int64_t milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::int64_t milliseconds_of(Call& call) {
    ParameterReader reader(call.parameters);
    const auto milliseconds = reader.integer("ms", 0, 60000);
    reader.finish();
    return milliseconds.value_or(0);
}

Step slow(Call& call) {
    sleep_for(milliseconds_of(call));
    return json_response(200, {{"slept", true}});
}

Step hashed(Call& call) {
    const auto milliseconds = milliseconds_of(call);
    return Hashing{[milliseconds](Call&) { sleep_for(milliseconds); },
                   [](Call& again) -> Step {
                       return json_response(200, {{"registry", again.registry != nullptr}});
                   }};
}

// A secret: an answer that cannot be written leaves a file.
Step unsent(Call& call) {
    ParameterReader reader(call.parameters);
    const std::string path = reader.text("file", 1000).value_or("");
    const auto milliseconds = reader.integer("ms", 0, 60000).value_or(0);
    reader.finish();
    sleep_for(milliseconds);
    Response response = json_response(201, {{"token", "secret"}});
    response.if_unsent =
        Undoing{"x", [path](RegistryConnection&) { std::ofstream(path) << "undone\n"; }};
    return response;
}

Step large(Call& call) {
    ParameterReader reader(call.parameters);
    const auto size = reader.integer("size", 0, 64 << 20).value_or(0);
    reader.finish();
    return json_response(200, {{"text", std::string(static_cast<std::size_t>(size), 'x')}});
}

Step roles(Call& call) {
    Json ids = Json::array();
    call.registry->read([&](registry::Reader& reader) {
        reader.roles([&](const registry::Role& role) { ids.push_back(role.id); });
    });
    return json_response(200, {{"roles", ids}});
}

Step broken(Call& /*call*/) {
    throw std::runtime_error("broken on purpose");
}

const char* is_lower(std::string_view value) {
    return value.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos
               ? nullptr
               : "must be lower-case letters";
}

template <typename T>
Json shown(const Field<T>& field) {
    return {{"given", field.given}, {"value", field.value ? Json(*field.value) : Json()}};
}

Step fields(Call& call) {
    require_match(call.request, entity_tag("content"));
    const Json body = parse_object(call.request.body);
    FieldReader reader(body);
    Json out;
    out["name"] = shown(reader.text("name", 10, is_lower, Presence::required));
    out["scopes"] = shown(reader.texts("scopes", 3, 10, is_lower));
    out["count"] = shown(reader.integer("count", -5, 200));
    out["flag"] = shown(reader.boolean("flag"));
    out["life"] = shown(reader.duration("life"));
    out["expires"] = shown(reader.time("expires", 1000));
    if (FieldReader* policy = reader.object("policy")) {
        out["policy"] = shown(policy->integer("max", 0, 10));
    }
    out["items"] = Json::array();
    for (FieldReader* item : reader.objects("items", 2, Presence::optional)) {
        out["items"].push_back(shown(item->text("id", 5)));
    }
    reader.finish();
    if (const auto key = idempotency_key(call.request)) {
        out["key"] = *key;
    }
    Response response = json_response(200, out);
    response.headers.emplace_back("ETag", entity_tag("content"));
    return response;
}

Step page(Call& call) {
    ParameterReader reader(call.parameters);
    const auto limit = reader.integer("limit", 1, 200);
    const std::string sort = reader.one_of("sort", {"-created", "created"});
    const auto cursor = reader.text("cursor", 100000);
    const auto since = reader.time("since", 1000);
    const bool force = reader.boolean("force");
    const auto unused = reader.duration("unused");
    reader.finish();
    const std::string list = "things " + sort;
    Position position{std::int64_t{-7}, std::string("a/b"), std::monostate()};
    if (cursor) {
        position = decode_cursor(list, "itT", *cursor);
    }
    return json_response(200, {{"limit", limit.value_or(50)},
                               {"since", since.value_or(0)},
                               {"force", force},
                               {"unused", unused.value_or(0)},
                               {"first", std::get<std::int64_t>(position[0])},
                               {"next_cursor", encode_cursor(list, position)}});
}

constexpr Route table[] = {
    {"GET", "/d/{org}/groups/{group}", "describe", Takes::nothing, Runs::worker, describe},
    {"DELETE", "/d/{org}/groups/{group}", "describe", Takes::nothing, Runs::worker, describe},
    {"POST", "/d/{org}", "describe", Takes::json_or_nothing, Runs::worker, describe},
    {"POST", "/echo", "echo", Takes::json, Runs::worker, echo},
    {"PATCH", "/echo", "echo", Takes::json, Runs::worker, echo},
    {"POST", "/form", "form", Takes::form, Runs::worker, form},
    {"GET", "/slow", "slow", Takes::nothing, Runs::worker, slow},
    {"POST", "/slow", "slow", Takes::json_or_nothing, Runs::worker, slow},
    {"GET", "/hashed", "hashed", Takes::nothing, Runs::worker, hashed},
    {"GET", "/unsent", "unsent", Takes::nothing, Runs::worker, unsent},
    {"GET", "/large", "large", Takes::nothing, Runs::worker, large},
    {"GET", "/roles", "roles", Takes::nothing, Runs::worker, roles},
    {"GET", "/broken", "broken", Takes::nothing, Runs::worker, broken},
    {"PATCH", "/fields", "fields", Takes::json, Runs::worker, fields},
    {"GET", "/page", "page", Takes::nothing, Runs::worker, page},
};

}  // namespace
}  // namespace token_auth::tokenapi

int main(int argc, char** argv) {
    using namespace token_auth::tokenapi;
    if (argc != 3) {
        std::fputs("usage: api_probe REGISTRY ADDRESS\n", stderr);
        return 2;
    }
    std::vector<Route> all(routes().begin(), routes().end());
    all.insert(all.end(), std::begin(table), std::end(table));
    try {
        serve({argv[1], argv[2]}, all);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "api_probe: %s\n", error.what());
        return 1;
    }
    return 0;
}
