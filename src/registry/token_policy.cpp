#include "registry/token_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "base/time.hpp"
#include "token_auth/address.hpp"

namespace token_auth::registry {
namespace {

constexpr std::uint8_t widest_v4 = 8;
constexpr std::uint8_t widest_v6 = 16;

bool is_too_wide(const std::string& block) {
    Cidr encoded{};
    if (!parse_cidr(block, encoded)) {
        return false;  // validate.hpp says so
    }
    return encoded[1] < (encoded[0] == 4 ? widest_v4 : widest_v6);
}

std::optional<Problem> expiry_problem(const Policy& policy, const Token& token) {
    if (policy.max_life == 0 ||
        (token.expires != 0 && token.expires <= token.created + policy.max_life)) {
        return std::nullopt;
    }
    return Problem{"expires",
                   fmt::format("must be at most {} after the token's creation",
                               base::exact_duration(policy.max_life)),
                   "max_life"};
}

std::optional<Problem> allow_problem(const Policy& policy, const Token& token) {
    if (!policy.require_allow) {
        return std::nullopt;
    }
    if (token.allow.empty()) {
        return Problem{"allow", "must hold at least one address or block", "require_allow"};
    }
    if (std::any_of(token.allow.begin(), token.allow.end(), is_too_wide)) {
        return Problem{
            "allow",
            fmt::format("must hold no block wider than /{}, or /{} of IPv6", widest_v4, widest_v6),
            "require_allow"};
    }
    return std::nullopt;
}

}  // namespace

Policy policy_for(Reader& reader, const Token& token) {
    const auto organization = token.kind == kind_user ? reader.system_organization()
                                                      : reader.organization(token.organization);
    return organization ? organization->policy : Policy{};
}

std::int64_t default_expiry(const Policy& policy, std::int64_t created) {
    const std::int64_t life = policy.default_life != 0 ? policy.default_life : usual_life;
    return cut_expiry(policy, created, std::min(created + life, base::time_max));
}

std::int64_t cut_expiry(const Policy& policy, std::int64_t created, std::int64_t expires) {
    if (policy.max_life == 0) {
        return expires;
    }
    const std::int64_t latest = std::min(created + policy.max_life, base::time_max);
    return expires == 0 ? latest : std::min(expires, latest);
}

std::vector<Problem> policy_problems(const Policy& policy, const Token& token, NamedFields named) {
    std::vector<Problem> found;
    if (auto problem = named.expires ? expiry_problem(policy, token) : std::nullopt) {
        found.push_back(std::move(*problem));
    }
    if (auto problem = named.allow ? allow_problem(policy, token) : std::nullopt) {
        found.push_back(std::move(*problem));
    }
    return found;
}

std::optional<Problem> limit_problem(Writer& writer, const Policy& policy, const Token& token,
                                     std::uint64_t ended) {
    if (policy.max_tokens == 0) {
        return std::nullopt;
    }
    TokenFilter filter;
    if (token.kind == kind_user) {
        filter.user = token.user;
        filter.kind = kind_name(kind_user);
        writer.claim_user(token.user);
    } else {
        filter.organization = token.organization;
        writer.claim_organization(token.organization);
    }
    const std::uint64_t valid = writer.count_valid_tokens(filter, writer.now());
    if (valid < static_cast<std::uint64_t>(policy.max_tokens) + ended) {
        return std::nullopt;
    }
    return Problem{
        token.kind == kind_user ? "user" : "organization",
        fmt::format("has {} already, and may have no more",
                    base::counted(static_cast<std::size_t>(policy.max_tokens), "valid token")),
        "max_tokens"};
}

std::optional<Problem> restore_problem(Writer& writer, const Token& token) {
    const bool counts = token.expires == 0 || token.expires > writer.now();
    return token.revoked != 0 && counts ? limit_problem(writer, policy_for(writer, token), token)
                                        : std::nullopt;
}

}  // namespace token_auth::registry
