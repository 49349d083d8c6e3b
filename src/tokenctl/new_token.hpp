// What create and rotate share: a new token's options, and the one time that it is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "registry/writer.hpp"
#include "tokenctl/context.hpp"

namespace token_auth::tokenctl {

struct NewTokenOptions {
    std::string expires;
    std::string prefix;
    std::string key_file;
};

// The defaults are for the help text.
void add_new_token_options(cli::Command command, NewTokenOptions& options,
                           const std::string& default_expiry, const std::string& default_prefix);

// These throw base::Error (invalid argument).

// Seconds since 1970; 0 for "never".
std::int64_t expiry_of(const std::string& text, std::int64_t now);
// That it begins before it ends, and that a registry takes it.
void require_valid(const registry::Token& token);

// What the token breaks of its policy (token_policy.hpp) is a base::Error; `ended` tokens end with
// it.
void require_policy(registry::Writer& writer, const registry::Policy& policy,
                    const registry::Token& token, std::uint64_t ended = 0);
// The same for what registry::restore_problem() says.
void require_none(const registry::Token& token, const std::vector<registry::Problem>& problems);

// Writes the token to standard output, alone on its line or as the first member of its object. If
// that fails, nobody can know the token: `undo` takes it back in a transaction of its own, and what
// it returns, what it did, ends the message of the base::Error.
void show_token(const Context& context, const registry::TokenText& text, const std::string& json,
                const std::function<std::string()>& undo);

// Says which token was made, and warns if it lives for long.
void tell_of_new_token(const Context& context, const registry::Token& token, std::int64_t now);

}  // namespace token_auth::tokenctl
