// Retrieving a token with user name and password.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "registry/accounts.hpp"
#include "registry/new_token.hpp"
#include "tokenapi/authentication.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/password_check.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::int64_t usual_life = 30 * 86400;  // seconds
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
void make_room(registry::Writer& writer, const std::string& user,
               const registry::Policy& policy) {
    registry::TokenFilter of_person;
    of_person.user = user;
    of_person.kind = kind_name(kind_user);
    for (std::size_t kept = registry::retrieved_tokens_max; kept-- > 0;) {
        registry::remove_retrieved_tokens(writer, user, kept);
        if (policy.max_tokens == 0 ||
            writer.count_valid_tokens(of_person, writer.now()) <
                static_cast<std::uint64_t>(policy.max_tokens)) {
            return;
        }
    }
    throw Problem(ProblemCode::limit_reached).with("rule", "max_tokens");
}

// What the policy of personal tokens asks for.
void keep_to(const registry::Policy& policy, const std::string& address, std::int64_t now,
             registry::Token& token) {
    std::int64_t life = policy.default_life != 0 ? policy.default_life : usual_life;
    if (policy.max_life != 0) {
        life = std::min(life, policy.max_life);
    }
    token.expires = std::min(now + life, base::time_max);
    if (policy.require_allow) {
        if (address.empty()) {
            throw Problem(Code::address_not_allowed, false);
        }
        token.allow = {address};
    }
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
    const auto system = writer.system_organization();
    const registry::Policy policy = system ? system->policy : registry::Policy();
    const std::string address = client_address_of(call);
    make_room(writer, person.id, policy);
    registry::Token token;
    token.kind = kind_user;
    token.user = person.id;
    token.name = "retrieved";
    token.prefix = registry::default_prefix(kind_user);
    keep_to(policy, address, writer.now(), token);
    const auto text = registry::put_new_token(writer, call.settings->digester(), token);
    Response response = shown_once(*text, token.expires);
    response.if_unsent = [id = token.id, author = writer.author()](RegistryConnection& registry) {
        registry.write(author, [&](registry::Writer& later) { later.set_revoked(id, true); });
    };
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
