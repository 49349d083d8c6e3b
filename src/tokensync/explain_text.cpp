#include "tokensync/explain_text.hpp"

#include <fmt/core.h>

#include <string_view>

#include "base/redact.hpp"
#include "base/time.hpp"
#include "registry/token_text.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {
namespace {

template <typename Predicate>
std::string join_if(const Words& words, Predicate keep) {
    std::string text;
    for (const std::string_view word : words) {
        if (keep(word)) {
            text += text.empty() ? "" : ", ";
            text += base::quoted(word);
        }
    }
    return text;
}

std::string join(const Words& words) {
    return join_if(words, [](std::string_view) { return true; });
}

std::string scope_reason(const Claims& claims, const Requirements& requirements,
                         const Words& unmet) {
    const std::string lacking =
        (&unmet == &requirements.scopes_any ? "any of " : "") +
        join_if(unmet, [&](std::string_view scope) { return !grants(scope_sets(claims), scope); });
    const bool by_role = !claims.role.empty();
    const bool by_token = !claims.token.scopes().empty();
    if (by_role && by_token) {
        return fmt::format("its role \"{}\" ({}) and its own scopes ({}) do not both cover {}",
                           claims.role, claims.role_scopes, claims.token.scopes(), lacking);
    }
    if (by_role) {
        return fmt::format("its role \"{}\" ({}) does not cover {}", claims.role,
                           claims.role_scopes, lacking);
    }
    if (by_token) {
        return fmt::format("its own scopes ({}) do not cover {}", claims.token.scopes(), lacking);
    }
    return fmt::format("it has neither a role here nor scopes of its own to cover {}", lacking);
}

}  // namespace

std::string reason_unknown(std::string_view token) {
    const auto reading = registry::read_token_text(token);
    if (reading && !reading->check_fits) {
        return fmt::format(
            "a typo: the check at the end of the token does not fit the rest, so a part of it is "
            "missing or wrong; if its id is right, it was to be the token \"{}\"",
            reading->id);
    }
    std::string text =
        "the store holds no token with this digest: it was never made in this registry, or it was "
        "deleted, with its user or its organization perhaps";
    if (reading) {
        text += fmt::format("; it is no typo, and gives \"{}\" for its id (tokenctl show {})",
                            reading->id, reading->id);
    }
    return text;
}

std::string reason(Code code, const Claims& claims, const Requirements& requirements,
                   const Words* unmet, std::string_view organization, std::int64_t now,
                   const std::string& client) {
    const TokenView& token = claims.token;
    char room[subject_max];
    const std::string_view subject = claims.known ? subject_of(token, room) : std::string_view();
    const std::string_view id = claims.known ? token.id() : std::string_view();
    const std::string whose = fmt::format("the token \"{}\"", id);
    const std::string asked = base::quoted(organization);
    switch (code) {
        case Code::ok:
            return fmt::format("{} is valid and meets all that was asked for", whose);
        case Code::token_revoked:
            return token.revoked()
                       ? fmt::format("{} is revoked (tokenctl restore undoes that)", whose)
                       : fmt::format(
                             "the user \"{}\" of {} is disabled (tokenctl user "
                             "enable undoes that)",
                             subject, whose);
        case Code::token_not_yet_valid:
            return fmt::format("{} is valid from {} on, and it is {}", whose,
                               base::format_time(token.not_before()), base::format_time(now));
        case Code::token_expired:
            return fmt::format("{} expired at {}, and it is {}", whose,
                               base::format_time(token.expires()), base::format_time(now));
        case Code::address_not_allowed:
            return client.empty()
                       ? fmt::format("{} is bound to addresses, and no --address was given", whose)
                       : fmt::format("the address blocks of {} do not hold {}", whose, client);
        case Code::kind_not_allowed:
            return fmt::format("{} is of the kind {}, which is not among those let in", whose,
                               kind_name(token.kind()));
        case Code::organization_missing:
            return fmt::format(
                "{} is a user token, which carries no organization, and the request "
                "names none (--org)",
                whose);
        case Code::organization_malformed:
            return fmt::format("the request's organization {} is no identifier", asked);
        case Code::organization_mismatch:
            return fmt::format("{} belongs to the organization \"{}\", and the request names {}",
                               whose, token.organization(), asked);
        case Code::not_a_member:
            return fmt::format(
                "the user \"{}\" is no member of {}, or there is no such "
                "organization",
                subject, asked);
        case Code::organization_suspended:
            return fmt::format(
                "the organization \"{}\" is suspended (tokenctl org resume undoes "
                "that)",
                claims.organization);
        case Code::group_missing:
            return token.group().empty()
                       ? fmt::format("{} is not for a group, and one of {} is asked for", whose,
                                     join(requirements.groups))
                       : fmt::format("{} is for the group \"{}/{}\", and one of {} is asked for",
                                     whose, token.organization(), token.group(),
                                     join(requirements.groups));
        case Code::role_missing:
            return claims.role.empty()
                       ? fmt::format("{} has no role here, and one of {} is asked for", whose,
                                     join(requirements.roles))
                       : fmt::format("the role of {} is \"{}\", and one of {} is asked for", whose,
                                     claims.role, join(requirements.roles));
        case Code::scope_missing:
            return fmt::format("{} lacks scopes: {}", whose,
                               scope_reason(claims, requirements, *unmet));
        case Code::anonymous:
        case Code::preflight:
        case Code::credentials_missing:
        case Code::request_malformed:
        case Code::token_malformed:
        case Code::token_unknown:
        case Code::store_unavailable:
        case Code::store_stale:
            break;
    }
    return std::string(answer(code).detail);
}

}  // namespace token_auth::tokensync
