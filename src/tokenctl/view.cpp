#include "tokenctl/view.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "registry/jsonl.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokenctl {
namespace {

base::Error is_token(std::string_view id) {
    return base::Error(
        fmt::format(
            "that is a whole token, not a token's id ({}); it has been on a command line, "
            "so think about rotating it",
            id.empty() ? "the part between \"_\" and \".\"" : fmt::format("the id is {}", id)),
        base::ErrorKind::invalid_argument);
}

}  // namespace

void require_token_id(const std::string& id) {
    if (registry::holds_token(id)) {
        throw is_token({});
    }
    if (!is_identifier(id)) {
        throw base::Error(fmt::format("{} is no token id, which {}; `tokenctl list` lists them",
                                      base::quoted(id), registry::identifier_rule),
                          base::ErrorKind::invalid_argument);
    }
}

registry::TokenView need_token(registry::Reader& reader, const std::string& id) {
    if (auto found = reader.token(id)) {
        return *found;
    }
    // A token made elsewhere may look like an id.
    Digester digester;
    Digest digest{};
    if (digester.init() && digester.plain(id, digest)) {
        if (const auto holder = reader.token_of_digest(digest)) {
            throw is_token(*holder);
        }
    }
    throw base::Error(fmt::format("token {} does not exist; `tokenctl list` lists what there is",
                                  base::quoted(id)));
}

base::Json object_of(const registry::Role& role) {
    return {{"id", role.id}, {"scopes", role.scopes}};
}

base::Json object_of(const registry::Organization& organization) {
    return {{"id", organization.id},
            {"suspended", organization.suspended},
            {"created", base::format_time(organization.created)}};
}

base::Json object_of(const registry::Group& group) {
    return {{"organization", group.organization},
            {"id", group.id},
            {"created", base::format_time(group.created)}};
}

base::Json object_of(const registry::User& user) {
    return {{"id", user.id},
            {"technical", user.technical},
            {"disabled", user.disabled},
            {"created", base::format_time(user.created)},
            {"display_name", user.display_name},
            {"email", user.email}};
}

base::Json object_of(const registry::Membership& membership) {
    return {{"user", membership.user},
            {"organization", membership.organization},
            {"role", membership.role},
            {"created", base::format_time(membership.created)}};
}

base::Json object_of(const registry::TokenView& view, std::int64_t now) {
    base::Json object = to_json(view.token);
    const KeyId key = view.token.digest.key_id;
    base::Json out{{"id", view.token.id}, {"status", status_name(status_of(view, now))}};
    for (const auto& [name, value] : object.items()) {
        if (name == "digest") {
            out["algorithm"] = key == no_key ? "sha256" : "hmac-sha256";
            if (key != no_key) {
                out["key_id"] = registry::format_key_id(key);
            }
        } else if (name != "type" && name != "id") {
            out[name] = value;
        }
    }
    return out;
}

std::string owner_text(const registry::Token& token) {
    switch (token.kind) {
        case kind_organization:
            return "organization " + token.organization;
        case kind_group:
            return fmt::format("group {}/{}", token.organization, token.group);
        case kind_user:
            return "user " + token.user;
    }
    return {};
}

std::string expiry_text(const registry::Token& token) {
    return token.expires == 0 ? "never" : base::format_time(token.expires);
}

}  // namespace token_auth::tokenctl
