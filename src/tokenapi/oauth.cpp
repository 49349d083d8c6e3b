// Tokens by their text, for services that speak OAuth 2.0.
//
// Sources: RFC 7662 (introspection), RFC 7009 (revocation).
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/introspection.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::Identity;

// Fields that are not asked for are ignored, as OAuth has it; an empty one is as none.
class Form {
  public:
    // One that cannot be read has none.
    explicit Form(const Request& request)
        : fields_(parse_parameters(request.body).value_or(std::vector<Parameter>())) {}
    ~Form() {
        for (Parameter& each : fields_) {
            explicit_bzero(each.value.data(), each.value.size());
        }
    }
    Form(const Form&) = delete;
    Form& operator=(const Form&) = delete;

    std::string_view value(std::string_view name) const {
        for (const Parameter& each : fields_) {
            if (each.name == name) {
                return each.value;
            }
        }
        return {};
    }

  private:
    std::vector<Parameter> fields_;
};

Response invalid_request() {
    return json_response(400, {{"error", "invalid_request"}});
}

// A session is none of OAuth's callers.
void require_token(const Call& call) {
    if (!credentials_of(call.request).authorization) {
        throw Problem(Code::credentials_missing);
    }
}

// The organization that the caller's token belongs to; empty: a personal one.
std::string organization_of(const Identity& identity) {
    const auto& caller = identity.caller;
    return caller.kind == kind_user || caller.holdings.empty()
               ? std::string()
               : caller.holdings.front().place.organization;
}

void add_text(base::Json& json, const char* name, const std::string& text) {
    if (!text.empty()) {
        json[name] = text;
    }
}

void add_time(base::Json& json, const char* name, std::int64_t time) {
    if (time != 0) {
        json[name] = time;
    }
}

base::Json introspection_json(const registry::Introspected& found) {
    const registry::Token& token = found.token;
    base::Json json = {{"active", true},  {"scope", found.scopes},  {"client_id", token.id},
                       {"jti", token.id}, {"token_type", "Bearer"}, {"sub", token.user}};
    add_time(json, "iat", token.created);
    add_time(json, "nbf", token.not_before);
    add_time(json, "exp", token.expires);
    json["kind"] = kind_name(token.kind);
    add_text(json, "organization", found.organization);
    add_text(json, "group", token.group);
    add_text(json, "role", found.role);
    return json;
}

base::Json introspect(registry::Reader& reader, const Identity& identity, const Call& call,
                      const Form& form) {
    auto view = registry::find_token(reader, call.settings->digester(), form.value("token"));
    if (view) {
        registry::GuardedReader guarded(reader, identity.caller, base::now());
        const std::string named(form.value("organization"));
        Address client;
        parse_address(form.value("address"), client);
        const auto found =
            registry::introspect(guarded, reader, std::move(*view),
                                 named.empty() ? organization_of(identity) : named, client);
        if (found) {
            return introspection_json(*found);
        }
    }
    return {{"active", false}};
}

}  // namespace

Step introspect_token(Call& call) {
    ParameterReader(call.parameters).finish();
    require_token(call);
    Response response;
    read_as_caller(call, [&](registry::Reader& reader, const Identity& identity) {
        const Form form(call.request);
        response = form.value("token").empty()
                       ? invalid_request()
                       : json_response(200, introspect(reader, identity, call, form));
    });
    return response;
}

Step revoke_token_by_value(Call& call) {
    ParameterReader(call.parameters).finish();
    require_token(call);
    Response response;
    write_as_caller(call, [&](registry::Writer& writer, const Identity& identity) {
        const Form form(call.request);
        if (form.value("token").empty()) {
            response = invalid_request();
            return;
        }
        response = Response{200, {}, {}, {}};
        const auto view =
            registry::find_token(writer, call.settings->digester(), form.value("token"));
        if (!view) {
            return;
        }
        try {
            registry::GuardedWriter(writer, identity.caller).revoke_token(view->token.id);
        } catch (const registry::Refusal&) {
            // The answer does not say so.
        }
    });
    return response;
}

}  // namespace token_auth::tokenapi
