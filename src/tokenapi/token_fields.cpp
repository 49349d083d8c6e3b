#include "tokenapi/token_fields.hpp"

#include <limits>

#include "registry/validate.hpp"
#include "tokenapi/checks.hpp"

namespace token_auth::tokenapi {
namespace {

// Long enough for all that is valid; what a list may hold is the registry's to say.
constexpr std::size_t scopes_count_max = 4096;
constexpr std::size_t block_max = 49;

Field<std::string> read_name(FieldReader& fields, Presence presence) {
    return fields.text("name", name_max, display_text_problem, presence);
}

Field<std::string> read_description(FieldReader& fields) {
    return fields.text("description", registry::description_max);
}

Field<std::string> read_role(FieldReader& fields) {
    return fields.text("role", identifier_max, identifier_problem);
}

Field<std::vector<std::string>> read_scopes(FieldReader& fields) {
    auto scopes = fields.texts("scopes", scopes_count_max, scope_max, scope_problem);
    if (scopes.value) {
        scopes.value = registry::canonical(std::move(*scopes.value));
    }
    return scopes;
}

Field<std::vector<std::string>> read_allow(FieldReader& fields) {
    return fields.texts("allow", allow_max, block_max, nullptr, true);
}

}  // namespace

registry::TokenFields read_token_fields(FieldReader& fields, bool is_personal, std::int64_t now) {
    registry::TokenFields token;
    token.name = read_name(fields, Presence::required).value.value_or("");
    token.description = read_description(fields).value.value_or("");
    if (!is_personal) {
        token.role = read_role(fields).value.value_or("");
    }
    token.scopes = read_scopes(fields).value.value_or(std::vector<std::string>());
    const auto expires = fields.time("expires", now);
    if (expires.given) {
        token.expires = expires.value.value_or(0);
    }
    token.not_before = fields.time("not_before", now).value.value_or(0);
    token.allow = read_allow(fields).value.value_or(std::vector<std::string>());
    return token;
}

registry::TokenChange read_token_change(FieldReader& fields, std::int64_t now) {
    registry::TokenChange change;
    const auto take = [&](const char* name, auto field, auto& into) {
        if (field.given && !fields.is_wrong(name)) {
            into.emplace();
            if (field.value) {
                *into = std::move(*field.value);
            }
        }
    };
    take("name", read_name(fields, Presence::optional_not_null), change.name);
    take("description", read_description(fields), change.description);
    take("role", read_role(fields), change.role);
    take("scopes", read_scopes(fields), change.scopes);
    take("expires", fields.time("expires", now), change.expires);
    take("allow", read_allow(fields), change.allow);
    return change;
}

}  // namespace token_auth::tokenapi
