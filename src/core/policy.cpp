#include "token_auth/policy.hpp"

#include "token_auth/text.hpp"

namespace token_auth {
namespace {

bool names_group(std::string_view wanted, const TokenRecord& token) noexcept {
    const std::size_t slash = wanted.find('/');
    if (slash == std::string_view::npos) {
        return wanted == token.group;
    }
    return wanted.substr(0, slash) == token.organization && wanted.substr(slash + 1) == token.group;
}

enum class Requirement : std::uint8_t { none, met, unmet };

// Whether any word satisfies the predicate.
template <typename Predicate>
Requirement any_of(const Words& words, Predicate satisfies) noexcept {
    Requirement result = Requirement::none;
    for (std::size_t i = 0; i < words.count; ++i) {
        std::string_view value = words.values[i];
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            if (satisfies(word)) {
                return Requirement::met;
            }
            result = Requirement::unmet;
        }
    }
    return result;
}

// A value of only spaces, such as a captured " ", must not cancel a requirement.
bool any_blank(const Words& words) noexcept {
    for (std::size_t i = 0; i < words.count; ++i) {
        const std::string_view value = words.values[i];
        if (!value.empty() && value.find_first_not_of(' ') == std::string_view::npos) {
            return true;
        }
    }
    return false;
}

Code decide_organization(const Claims& claims, const Requirements& requirements) noexcept {
    const bool named = requirements.organization_mode != OrganizationMode::off &&
                       !requirements.organization.empty();
    if (claims.organization.empty() && !named &&
        requirements.organization_mode == OrganizationMode::required) {
        return Code::organization_missing;
    }
    if (named && !is_identifier(requirements.organization)) {
        return Code::organization_malformed;
    }
    if (named && claims.token.kind != kind_user &&
        requirements.organization != claims.organization) {
        return Code::organization_mismatch;
    }
    if (claims.organization.empty()) {
        return Code::ok;
    }
    if (!claims.member) {
        return Code::not_a_member;
    }
    return claims.suspended ? Code::organization_suspended : Code::ok;
}

// Whether the token may be used at all, now and from this address.
Code decide_token(const Claims& claims, std::int64_t now, const Address& client) noexcept {
    const TokenRecord& token = claims.token;
    if (!claims.known) {
        return Code::token_unknown;
    }
    if (token.revoked || claims.disabled) {
        return Code::token_revoked;
    }
    if (now < token.not_before) {
        return Code::token_not_yet_valid;
    }
    if (token.expires != 0 && now >= token.expires) {
        return Code::token_expired;
    }
    if (!token.allow.empty() && !any_contains(token.allow, client)) {
        return Code::address_not_allowed;
    }
    return Code::ok;
}

bool meets_groups(const TokenRecord& token, const Words& groups) noexcept {
    const auto in_group = [&](std::string_view group) {
        return !token.group.empty() && names_group(group, token);
    };
    return !any_blank(groups) && any_of(groups, in_group) != Requirement::unmet;
}

bool meets_roles(const Claims& claims, const Words& roles) noexcept {
    const auto has_role = [&](std::string_view role) { return role == claims.role; };
    return !any_blank(roles) && any_of(roles, has_role) != Requirement::unmet;
}

bool meets_scopes(const Claims& claims, const Requirements& requirements) noexcept {
    return !any_blank(requirements.scopes) && !any_blank(requirements.scopes_any) &&
           missing_scopes(claims, requirements).words.count == 0;
}

}  // namespace

Code decide(const Claims& claims, const Requirements& requirements, std::int64_t now,
            const Address& client) noexcept {
    const Code token = decide_token(claims, now, client);
    if (token != Code::ok) {
        return token;
    }
    if ((requirements.kinds & claims.token.kind) == 0) {
        return Code::kind_not_allowed;
    }
    const Code organization = decide_organization(claims, requirements);
    if (organization != Code::ok) {
        return organization;
    }
    if (!meets_groups(claims.token, requirements.groups)) {
        return Code::group_missing;
    }
    if (!meets_roles(claims, requirements.roles)) {
        return Code::role_missing;
    }
    return meets_scopes(claims, requirements) ? Code::ok : Code::scope_missing;
}

MissingScopes missing_scopes(const Claims& claims, const Requirements& requirements) noexcept {
    const auto granted = [&](std::string_view scope) { return grants(claims, scope); };
    const auto not_granted = [&](std::string_view scope) { return !grants(claims, scope); };
    if (any_of(requirements.scopes, not_granted) == Requirement::met) {
        return {requirements.scopes, false};
    }
    if (any_of(requirements.scopes_any, granted) == Requirement::unmet) {
        return {requirements.scopes_any, true};
    }
    return {};
}

}  // namespace token_auth
