// When tokens were used last, as the tokensync of each nginx host tells it. It stands beside the
// hosts' reports (hosts.hpp), apart from the tokens: noting it changes none of them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "registry/session.hpp"

namespace token_auth::registry {

// By the token's id.
struct TokenUse {
    std::int64_t time = 0;  // Unix seconds
    std::string address;    // of the client; empty: a Unix socket
    std::uint64_t count = 0;
};
using TokenUses = std::unordered_map<std::string, TokenUse>;

// Adds `later` to what is known of a token: the latest time with its address, and the sum.
void add_use(TokenUse& known, const TokenUse& later);

// Adds uses to what is known, in one statement. A time that is ahead of the database's clock is cut
// to that, so that a host whose clock is wrong hides nobody's later uses.
void put_usage(Session& reports, const TokenUses& uses);

// Of those tokens that were used.
TokenUses usage_of(Session& reports, const std::vector<std::string>& ids);

// Whether the usage of tokens that are gone is to be removed, by this host, which must have
// reported: once a day, by whichever asks first. It counts as done from now on.
bool claim_prune(Session& reports, const std::string& host);
// Removes the usage of tokens that `registry` does not have any more.
void prune_usage(Session& reports, Session& registry);

}  // namespace token_auth::registry
