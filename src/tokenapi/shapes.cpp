#include "tokenapi/shapes.hpp"

#include <utility>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/guarded_call.hpp"

namespace token_auth::tokenapi {
namespace {

using base::Json;

Json duration_or_null(std::int64_t seconds) {
    return seconds == 0 ? Json() : Json(base::exact_duration(seconds));
}

Json number_or_null(std::int64_t number) {
    return number == 0 ? Json() : Json(number);
}

std::string location_of(const registry::Token& token) {
    return "/api/v1/tokens/" + token.id;
}

}  // namespace

Json token_json(registry::GuardedReader& reader, const registry::TokenView& view,
                const registry::TokenUses& uses) {
    const auto use = uses.find(view.token.id);
    const bool used = use != uses.end();
    const registry::Token& token = view.token;
    const bool personal = token.kind == kind_user;
    // Not as a list in braces, in which the library copies each and looks for its name: this is
    // most of what a page costs.
    Json::object_t members;
    members.reserve(24);
    const auto add = [&](const char* name, Json value) {
        members.emplace_back(name, std::move(value));
    };
    add("id", token.id);
    add("kind", kind_name(token.kind));
    add("prefix", text_or_null(token.prefix));
    add("name", token.name);
    add("description", token.description);
    add("user", token.user);
    add("organization", text_or_null(token.organization));
    add("group", text_or_null(token.group));
    add("role", text_or_null(token.role));
    add("scopes", token.scopes.empty() ? Json() : Json(token.scopes));
    add("effective_scopes", personal ? Json() : Json(reader.effective_scopes(token)));
    add("allow", token.allow);
    add("status", registry::told_status(view, reader.now()));
    add("created", time_or_null(token.created));
    add("created_by", text_or_null(token.created_by));
    add("created_via", text_or_null(token.created_via));
    add("not_before", time_or_null(token.not_before));
    add("expires", time_or_null(token.expires));
    add("revoked", time_or_null(token.revoked));
    add("last_used", used ? time_or_null(use->second.time) : Json());
    add("last_used_from", used ? text_or_null(use->second.address) : Json());
    add("predecessor", text_or_null(token.predecessor));
    add("successor", text_or_null(token.successor));
    return Json(std::move(members));
}

std::string token_tag(const registry::Token& token) {
    return entity_tag(
        base::json_text(Json::array({token.id, token.name, token.description, token.role,
                                     token.scopes, token.expires, token.allow})));
}

Response token_response(registry::GuardedReader& reader, const registry::TokenView& view) {
    Response response = json_response(200, token_json(reader, view, reader.uses({view.token.id})));
    response.headers.emplace_back("ETag", token_tag(view.token));
    return response;
}

Response new_token_response(registry::GuardedReader& reader, const registry::TokenView& view,
                            const registry::TokenText& text) {
    Response response = token_response(reader, view);
    response.status = 201;
    response.headers.emplace_back("Location", location_of(view.token));
    // In place of the last brace. The text needs no escapes; no copy of it stays behind.
    constexpr std::string_view name = ",\"token\":\"";
    std::string& body = response.body;
    body.pop_back();
    body.reserve(body.size() + name.size() + text.view().size() + 2);
    body.append(name).append(text.view()).append("\"}");
    return response;
}

Json policy_json(const registry::Policy& policy) {
    return {{"max_life", duration_or_null(policy.max_life)},
            {"default_life", duration_or_null(policy.default_life)},
            {"require_allow", policy.require_allow},
            {"max_tokens", number_or_null(policy.max_tokens)}};
}

Json organization_json(const registry::Organization& organization) {
    return {{"id", organization.id},
            {"display_name", text_or_null(organization.display_name)},
            {"system", organization.system},
            {"suspended", organization.suspended},
            {"policy", policy_json(organization.policy)},
            {"created", time_or_null(organization.created)}};
}

Json group_json(const registry::Group& group) {
    return {{"organization", group.organization},
            {"id", group.id},
            {"created", time_or_null(group.created)}};
}

Json member_json(const registry::Membership& membership, const std::string& display_name) {
    return {{"user", membership.user},
            {"display_name", text_or_null(display_name)},
            {"organization", membership.organization},
            {"group", text_or_null(membership.group)},
            {"role", membership.role},
            {"created", time_or_null(membership.created)}};
}

Json grants_json(const registry::Grants& grants) {
    Json roles = Json::array();
    for (const registry::OfferedRole& each : grants.roles) {
        roles.push_back({{"id", each.role.id},
                         {"description", each.role.description},
                         {"scopes", each.role.scopes},
                         {"administrative", each.administrative}});
    }
    Json scopes = Json::array();
    for (const registry::ScopeEntry& each : grants.scopes) {
        scopes.push_back({{"scope", each.scope}, {"description", each.description}});
    }
    return {{"roles", std::move(roles)},
            {"scopes", std::move(scopes)},
            {"policy", policy_json(grants.policy)}};
}

Response tagged_response(unsigned status, const Json& value, const std::string& location) {
    Response response = json_response(status, value);
    response.headers.emplace_back("ETag", entity_tag(response.body));
    if (!location.empty()) {
        response.headers.emplace_back("Location", location);
    }
    return response;
}

}  // namespace token_auth::tokenapi
