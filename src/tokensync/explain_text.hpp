// Why a decision was what it was, in a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "token_auth/policy.hpp"

namespace token_auth::tokensync {

// Of the token `token` that the store does not hold.
std::string reason_unknown(std::string_view token);

// `organization`, `now` and `client` as they were given to decide(); for codes behind
// token_unknown, and ok.
std::string reason(Code code, const Claims& claims, const Requirements& requirements,
                   std::string_view organization, std::int64_t now, const std::string& client);

}  // namespace token_auth::tokensync
