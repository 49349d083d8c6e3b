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

template <typename Predicate>
bool meets_all(const Words& words, Predicate satisfies) noexcept {
    for (const std::string_view word : words) {
        if (!satisfies(word)) {
            return false;
        }
    }
    return !words.met_by_nobody;
}

template <typename Predicate>
bool meets_any(const Words& words, Predicate satisfies) noexcept {
    if (words.count == 0) {
        return !words.met_by_nobody;
    }
    bool met = false;
    for (const std::string_view word : words) {
        met = met || satisfies(word);
    }
    return met && !words.met_by_nobody;
}

Code decide_organization(const Claims& claims, OrganizationMode mode,
                         std::string_view organization) noexcept {
    const bool named = mode != OrganizationMode::off && !organization.empty();
    if (claims.organization.empty() && !named && mode == OrganizationMode::required) {
        return Code::organization_missing;
    }
    // What stands in the store is an identifier.
    const bool stored = claims.member && is_equal(organization, claims.organization);
    if (named && !stored && !is_identifier(organization)) {
        return Code::organization_malformed;
    }
    if (named && !stored && !claims.token.is_user()) {
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
    return Code::ok;
}

// The requirement of scopes that is not met; null if both are.
const Words* unmet_scopes(const Claims& claims, const Requirements& requirements) noexcept {
    const ScopeSets sets = scope_sets(claims);
    const auto granted = [&](std::string_view scope) { return grants(sets, scope); };
    if (!meets_all(requirements.scopes, granted)) {
        return &requirements.scopes;
    }
    return meets_any(requirements.scopes_any, granted) ? nullptr : &requirements.scopes_any;
}

}  // namespace

std::size_t words_max(const std::string_view* values, std::size_t count) noexcept {
    std::size_t result = 0;
    for (std::size_t i = 0; i < count; ++i) {
        result += (values[i].size() + 1) / 2;
    }
    return result;
}

Words split_words(const std::string_view* values, std::size_t count, IfEmpty if_empty,
                  std::string_view* room) noexcept {
    Words out{room};
    bool all_empty = count != 0;
    for (std::size_t i = 0; i < count; ++i) {
        std::string_view value = values[i];
        all_empty = all_empty && value.empty();
        const std::size_t before = out.count;
        for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
            room[out.count++] = word;
        }
        // A captured " " must not cancel a requirement.
        out.met_by_nobody = out.met_by_nobody || (!values[i].empty() && out.count == before);
    }
    out.met_by_nobody = out.met_by_nobody || (all_empty && if_empty == IfEmpty::met_by_nobody);
    return out;
}

Code decide(const Claims& claims, const Requirements& requirements, std::string_view organization,
            std::int64_t now, const Address& client, const Words*& unmet) noexcept {
    const Code usable = decide_token(claims, now, client);
    if (usable != Code::ok) {
        return usable;
    }
    if ((requirements.kinds & claims.token.kind()) == 0) {
        return Code::kind_not_allowed;
    }
    const Code member = decide_organization(claims, requirements.organization_mode, organization);
    if (member != Code::ok) {
        return member;
    }
    const TokenView& token = claims.token;
    const auto in_group = [&](std::string_view group) {
        return !token.group().empty() && names_group(group, token);
    };
    if (!meets_any(requirements.groups, in_group)) {
        return Code::group_missing;
    }
    const auto has_role = [&](std::string_view role) { return role == claims.role; };
    if (!meets_any(requirements.roles, has_role)) {
        return Code::role_missing;
    }
    const bool keeps = claims.role_meets != nullptr &&
                       requirements.number < Requirements::numbers_max && token.scopes().empty();
    const std::uint64_t bit = std::uint64_t{1} << (requirements.number % Requirements::numbers_max);
    if (keeps && (*claims.role_meets & bit) != 0) {
        return Code::ok;
    }
    const Words* const scopes = unmet_scopes(claims, requirements);
    if (scopes != nullptr) {
        unmet = scopes;
        return Code::scope_missing;
    }
    if (keeps) {
        *claims.role_meets |= bit;
    }
    return Code::ok;
}

bool is_stale(std::int64_t synced, std::int64_t now, std::int64_t max_age) noexcept {
    constexpr std::int64_t ahead_max = 5000;
    return max_age != 0 && (now - synced > max_age * 1000 || synced - now > ahead_max);
}

}  // namespace token_auth
