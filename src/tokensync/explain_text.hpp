// Why a decision was what it was, in a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "token_auth/policy.hpp"

namespace token_auth::tokensync {

// Of the token `token` that the store does not hold.
std::string reason_unknown(std::string_view token);

// What decide() was given and gave; for codes behind token_unknown, and ok. `unmet` is not null for
// scope_missing.
std::string reason(Code code, const Claims& claims, const Requirements& requirements,
                   const Words* unmet, std::string_view organization, std::int64_t now,
                   const std::string& client);

}  // namespace token_auth::tokensync
