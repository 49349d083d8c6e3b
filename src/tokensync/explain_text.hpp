// Why a decision was what it was, in a sentence.
#pragma once

#include <cstdint>
#include <string>

#include "token_auth/policy.hpp"

namespace token_auth::tokensync {

// `now` and `client` as they were given to decide(); for codes from token_unknown on, and ok.
std::string reason(Code code, const Claims& claims, const Requirements& requirements,
                   std::int64_t now, const std::string& client);

}  // namespace token_auth::tokensync
