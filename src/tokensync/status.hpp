// tokensync status
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace token_auth::tokensync {

// Writes what there is to say of the store to standard output. False if it is older than `max_age`,
// or something is held back or left out.
bool status(const std::string& path, bool json, std::optional<std::chrono::seconds> max_age);

}  // namespace token_auth::tokensync
