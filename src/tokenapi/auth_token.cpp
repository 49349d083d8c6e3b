// Retrieving a token with user name and password.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "registry/accounts.hpp"
#include "registry/new_token.hpp"
#include "registry/token_policy.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/password_check.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"
#include "tokenapi/shapes.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::int64_t retrieved_life = 30 * 86400;  // seconds
constexpr const char* via = "auth_token";

void challenge_basic(Problem& problem) {
    problem.header("WWW-Authenticate", "Basic realm=\"token-auth\", charset=\"UTF-8\"");
}

// From the body or by Basic, not both.
NameAndPassword given_credentials(const Call& call) {
    const Credentials credentials = credentials_of(call.request);
    auto basic = credentials.authorization ? parse_basic(*credentials.authorization) : std::nullopt;
    const bool has_body = !call.request.body.empty();
    if (credentials.authorization && has_body) {
        throw Problem(ProblemCode::credentials_ambiguous);
    }
    if (has_body) {
        return parse_credentials(call);
    }
    if (!basic) {
        Problem problem(ProblemCode::login_failed);
        challenge_basic(problem);
        throw problem;
    }
    return std::move(*basic);
}

// Makes room for one more: of the tokens that were retrieved, the oldest ones go.
void make_room(registry::Writer& writer, const registry::Policy& policy,
               const registry::Token& token) {
    for (std::size_t kept = registry::retrieved_tokens_max; kept-- > 0;) {
        registry::remove_retrieved_tokens(writer, token.user, kept);
        if (!limit_problem(writer, policy, token)) {
            return;
        }
    }
    throw Problem(ProblemCode::limit_reached).with("rule", "max_tokens");
}

// For 30 days, or what the policy says of personal tokens; where that asks for addresses, for the
// one that asks.
registry::Token wanted_token(const Call& call, const registry::Policy& policy,
                             const std::string& person, std::int64_t now) {
    registry::Token token;
    token.kind = kind_user;
    token.user = person;
    token.name = "retrieved";
    token.prefix = registry::default_prefix(kind_user);
    token.created = now;
    token.expires = policy.default_life != 0
                        ? default_expiry(policy, now)
                        : cut_expiry(policy, now, std::min(now + retrieved_life, base::time_max));
    if (policy.require_allow) {
        const std::string address = client_address_of(call);
        if (address.empty()) {
            throw Problem(Code::address_not_allowed, false);
        }
        token.allow = {address};
    }
    return token;
}

// {"auth_token":"…","expires":"…"}, without a copy of the token that would stay behind.
Response shown_once(const registry::TokenText& text, std::int64_t expires) {
    const std::string rest = "\",\"expires\":\"" + base::format_time(expires) + "\"}";
    constexpr std::string_view begin = "{\"auth_token\":\"";
    Response response{200, {{"Content-Type", "application/json"}}, {}, {}};
    response.body.reserve(begin.size() + text.view().size() + rest.size());
    response.body.append(begin).append(text.view()).append(rest);
    return response;
}

Response give_token(const Call& call, registry::Writer& writer, const registry::User& person) {
    registry::Token token;
    token.kind = kind_user;
    const registry::Policy policy = policy_for(writer, token);
    token = wanted_token(call, policy, person.id, writer.now());
    make_room(writer, policy, token);
    const auto text = registry::put_new_token(writer, call.settings->digester(), token);
    Response response = shown_once(*text, token.expires);
    response.if_unsent = revocation(token.id, writer.author());
    return response;
}

}  // namespace

Step retrieve_token(Call& call) {
    if (!call.settings->auth_token()) {
        throw Problem(ProblemCode::not_found);
    }
    // For programs: no page gets a token so, ours neither.
    if (!call.request.values("Origin").empty()) {
        throw Problem(ProblemCode::origin_not_allowed);
    }
    ParameterReader(call.parameters).finish();
    return check_password(call, given_credentials(call), via, give_token, challenge_basic);
}

}  // namespace token_auth::tokenapi
