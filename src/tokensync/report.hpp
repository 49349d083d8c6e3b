// What `run` and `watch` say about a sync.
#pragma once

#include <string>

#include "sync.hpp"

namespace token_auth::tokensync {

// One line for people, and the same for programs; without a newline.
std::string outcome_line(const Outcome& outcome, const Meta& meta);
std::string outcome_json(const Outcome& outcome, const Meta& meta);

}  // namespace token_auth::tokensync
