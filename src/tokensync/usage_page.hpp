// nginx's page of the tokens that were used of late (docs/DIRECTIVES.md, token_auth_usage).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "registry/usage.hpp"

namespace token_auth::tokensync {

// Where nginx has the page.
struct UsageAddress {
    std::string shown;   // as it was given
    std::string socket;  // a Unix socket's path; empty: TCP
    std::string url;
};

// "unix:/run/nginx.sock:/usage" or "http://host:port/usage"; base::Error (wrong usage) for anything
// else.
UsageAddress parse_usage_address(const std::string& text);

// One answer.
struct UsageAnswer {
    registry::TokenUses uses;
    std::string cursor;      // to go on from, once what was answered is stored
    std::string epoch;       // another one: the table began anew
    bool more = false;       // the answer is a part
    std::uint64_t lost = 0;  // uses since it began that found no room
};

// Asks for what follows the cursor; "last" is the one that was used last. base::Error names the
// page and the remedy. `ending` breaks it off within about a second, by registry::Stopped.
UsageAnswer ask_usage(const UsageAddress& address, const std::string& cursor,
                      const std::atomic<bool>& ending);

}  // namespace token_auth::tokensync
