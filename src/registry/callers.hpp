// Who calls, as rights.hpp wants to know it: read in the transaction that the question is asked in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/accounts.hpp"
#include "registry/reader.hpp"
#include "registry/rights.hpp"
#include "registry/token_digester.hpp"
#include "token_auth/address.hpp"
#include "token_auth/answer.hpp"

namespace token_auth::registry {

// A person, or a token, with all that they hold.
struct Identity {
    rights::Caller caller;
    User user;  // the person, or the token's technical user
    // For each of the caller's holdings, in the order of the organizations, each before its groups.
    struct Membership {
        std::string role;  // empty: a token without one
        std::string organization_name;
    };
    std::vector<Membership> memberships;
    std::optional<LoginSession> session;  // that the person came by
};

// A person who is not disabled.
Identity identity_of_person(Reader& reader, const User& person, rights::Via via);

// By a token, checked as nginx checks it, but that no organization is named: whether the token
// reaches the one of the request is for rights to say.
struct TokenIdentity {
    Code code = Code::ok;
    std::optional<Identity> identity;  // if ok
};
TokenIdentity identity_of_token(Reader& reader, TokenDigester& digester, std::string_view token,
                                std::int64_t now, const Address& client);

// The one with that text; none if there is none.
std::optional<TokenView> find_token(Reader& reader, TokenDigester& digester, std::string_view text);
// Whether it may be used now, and from there, as decide() says.
Code decide_on(const TokenView& view, std::int64_t now, const Address& client);

// For the audit trail.
Author author_of(const rights::Caller& caller, std::int64_t now, const std::string& address);

}  // namespace token_auth::registry
