#include "registry/bad_row.hpp"

#include <fmt/format.h>

#include "base/redact.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

std::string shown(std::string_view id) {
    return is_identifier(id) ? std::string(id) : base::quoted(id);
}

std::string in_quotes(std::string_view id) {
    return is_identifier(id) ? fmt::format("\"{}\"", id) : base::quoted(id);
}

BadRow bad_entity(std::string_view entity, const std::string& id, std::string problem) {
    return {entity, id, fmt::format("the {} {}", entity, in_quotes(id)), shown(id),
            std::move(problem)};
}

}  // namespace

BadRow bad_token(const Token& token, std::string problem) {
    // An id that is none may be anything, even a token somebody wrote into that column.
    const std::string id =
        is_identifier(token.id) ? token.id : "(" + digest_hint(token.digest.bytes) + ")";
    const std::string name = is_identifier(token.id)
                                 ? fmt::format("the token \"{}\"", token.id)
                                 : "the token " + digest_hint(token.digest.bytes);
    return {"token", to_hex(token.digest.bytes), name, id, std::move(problem)};
}

BadRow bad_organization(const std::string& id, std::string problem) {
    return bad_entity("organization", id, std::move(problem));
}

BadRow bad_role(const std::string& id, std::string problem) {
    return bad_entity("role", id, std::move(problem));
}

BadRow bad_user(const std::string& id, std::string problem) {
    return bad_entity("user", id, std::move(problem));
}

BadRow bad_membership(const std::string& user, const std::string& organization,
                      std::string problem) {
    return {"membership", membership_key(user, organization),
            fmt::format("the membership of {} in {}", in_quotes(user), in_quotes(organization)),
            fmt::format("{} in {}", shown(user), shown(organization)), std::move(problem)};
}

std::string digest_hint(const Digest& digest) {
    return fmt::format("with the digest {:02x}{:02x}{:02x}{:02x}…", digest[0], digest[1], digest[2],
                       digest[3]);
}

std::string membership_key(std::string_view user, std::string_view organization) {
    return fmt::format("{} {}", user, organization);
}

std::string identifier_problem(std::string_view id, std::string_view which) {
    if (is_identifier(id)) {
        return {};
    }
    return fmt::format("has {} that is no identifier ([A-Za-z0-9._-], 1 to {} bytes)", which,
                       identifier_max);
}

}  // namespace token_auth::registry
