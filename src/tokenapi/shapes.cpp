#include "tokenapi/shapes.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/registry_connection.hpp"

namespace token_auth::tokenapi {
namespace {

using base::Json;

Json duration_or_null(std::int64_t seconds) {
    return seconds == 0 ? Json() : Json(base::exact_duration(seconds));
}

Json number_or_null(std::int64_t number) {
    return number == 0 ? Json() : Json(number);
}

// Writes an object into a text, member by member: most of what a page of tokens costs would be to
// make Json values first. The names need no escapes.
class ObjectText {
  public:
    explicit ObjectText(std::string& out) : out_(out) {}
    ObjectText(const ObjectText&) = delete;
    ObjectText& operator=(const ObjectText&) = delete;
    ~ObjectText() { out_ += '}'; }

    void null(std::string_view name) {
        begin(name);
        out_ += "null";
    }
    void text(std::string_view name, std::string_view text) {
        begin(name);
        base::append_json(out_, text);
    }
    void texts(std::string_view name, const std::vector<std::string>& texts) {
        begin(name);
        char before = '[';
        for (const std::string& each : texts) {
            out_ += before;
            base::append_json(out_, each);
            before = ',';
        }
        out_ += texts.empty() ? "[]" : "]";
    }
    void text_or_null(std::string_view name, std::string_view text) {
        text.empty() ? null(name) : this->text(name, text);
    }
    void time_or_null(std::string_view name, std::int64_t time) {
        time == 0 ? null(name) : text(name, base::format_time(time));
    }

  private:
    void begin(std::string_view name) {
        out_.append(1, std::exchange(before_, ',')).append(1, '"').append(name).append("\":");
    }

    std::string& out_;
    char before_ = '{';
};

std::string location_of(const registry::Token& token) {
    return "/api/v1/tokens/" + token.id;
}

}  // namespace

void append_token(std::string& out, registry::GuardedReader& reader,
                  const registry::TokenView& view, const registry::TokenUses& uses) {
    const auto use = uses.find(view.token.id);
    const registry::TokenUse none;
    const registry::TokenUse& last = use != uses.end() ? use->second : none;
    const registry::Token& token = view.token;
    ObjectText object(out);
    object.text("id", token.id);
    object.text("kind", kind_name(token.kind));
    object.text_or_null("prefix", token.prefix);
    object.text("name", token.name);
    object.text("description", token.description);
    object.text("user", token.user);
    object.text_or_null("organization", token.organization);
    object.text_or_null("group", token.group);
    object.text_or_null("role", token.role);
    if (token.scopes.empty()) {
        object.null("scopes");
    } else {
        object.texts("scopes", token.scopes);
    }
    if (token.kind == kind_user) {
        object.null("effective_scopes");
    } else {
        object.texts("effective_scopes", reader.effective_scopes(token));
    }
    object.texts("allow", token.allow);
    object.text("status", registry::told_status(view, reader.now()));
    object.time_or_null("created", token.created);
    object.text_or_null("created_by", token.created_by);
    object.text_or_null("created_via", token.created_via);
    object.time_or_null("not_before", token.not_before);
    object.time_or_null("expires", token.expires);
    object.time_or_null("revoked", token.revoked);
    object.time_or_null("last_used", last.time);
    object.text_or_null("last_used_from", last.address);
    object.text_or_null("predecessor", token.predecessor);
    object.text_or_null("successor", token.successor);
}

std::string token_tag(const registry::Token& token) {
    return entity_tag(
        base::json_text(Json::array({token.id, token.name, token.description, token.role,
                                     token.scopes, token.expires, token.allow})));
}

Response token_response(registry::GuardedReader& reader, const registry::TokenView& view) {
    return token_response(reader, view, reader.uses({view.token.id}));
}

Response token_response(registry::GuardedReader& reader, const registry::TokenView& view,
                        const registry::TokenUses& uses) {
    std::string body;
    append_token(body, reader, view, uses);
    Response response = json_text_response(200, std::move(body));
    response.headers.emplace_back("ETag", token_tag(view.token));
    return response;
}

Response new_token_response(registry::GuardedReader& reader, const registry::TokenView& view,
                            const registry::TokenText& text) {
    Response response = token_response(reader, view, {});
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

Undoing revocation(const std::string& token, const registry::Author& author) {
    return {token, [token, author](RegistryConnection& registry) {
                registry.write(author,
                               [&](registry::Writer& later) { later.set_revoked(token, true); });
            }};
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
