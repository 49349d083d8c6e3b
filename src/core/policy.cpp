#include "token_auth/policy.hpp"

#include "token_auth/text.hpp"

namespace token_auth {
namespace {

bool names_group(std::string_view wanted, const TokenView& token) noexcept {
    const std::size_t slash = wanted.find('/');
    if (slash == std::string_view::npos) {
        return wanted == token.group();
    }
    return wanted.substr(0, slash) == token.organization() &&
           wanted.substr(slash + 1) == token.group();
}

enum class Asked : std::uint8_t { nothing, met, unmet };

// Whether any word of the values meets the predicate.
template <typename Predicate>
Asked any_of(const Words& words, Predicate meets) noexcept {
    Asked result = Asked::nothing;
    for (std::size_t i = 0; i < words.count; ++i) {
        std::string_view value = words.values[i];
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            if (meets(word)) {
                return Asked::met;
            }
            result = Asked::unmet;
        }
    }
    return result;
}

// Whether a value is there but names nothing: a captured " " must not take a requirement off.
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
    if (named && claims.token.kind() != kind_user &&
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

}  // namespace

Code decide(const Claims& claims, const Requirements& requirements, std::int64_t now,
            const Address& client) noexcept {
    const TokenView& token = claims.token;
    if (!claims.known) {
        return Code::token_unknown;
    }
    if (token.revoked() || token.disabled()) {
        return Code::token_revoked;
    }
    if (now < token.not_before()) {
        return Code::token_not_yet_valid;
    }
    if (token.expires() != 0 && now >= token.expires()) {
        return Code::token_expired;
    }
    if (!token.allow().empty() && !any_contains(token.allow(), client)) {
        return Code::address_not_allowed;
    }
    if ((requirements.kinds & token.kind()) == 0) {
        return Code::kind_not_allowed;
    }
    const Code organization = decide_organization(claims, requirements);
    if (organization != Code::ok) {
        return organization;
    }
    if (any_blank(requirements.groups) || any_of(requirements.groups, [&](std::string_view group) {
                                              return !token.group().empty() &&
                                                     names_group(group, token);
                                          }) == Asked::unmet) {
        return Code::group_missing;
    }
    if (any_blank(requirements.roles) || any_of(requirements.roles, [&](std::string_view role) {
                                             return role == claims.role;
                                         }) == Asked::unmet) {
        return Code::role_missing;
    }
    const ScopeSets sets = scope_sets(claims);
    const auto granted = [&](std::string_view scope) { return grants(sets, scope); };
    const auto not_granted = [&](std::string_view scope) { return !grants(sets, scope); };
    if (any_blank(requirements.scopes) || any_blank(requirements.scopes_any) ||
        any_of(requirements.scopes, not_granted) == Asked::met ||
        any_of(requirements.scopes_any, granted) == Asked::unmet) {
        return Code::scope_missing;
    }
    return Code::ok;
}

bool is_stale(std::int64_t synced, std::int64_t now, std::int64_t max_age) noexcept {
    constexpr std::int64_t ahead_max = 5000;
    return max_age != 0 && (now - synced > max_age * 1000 || synced - now > ahead_max);
}

}  // namespace token_auth
