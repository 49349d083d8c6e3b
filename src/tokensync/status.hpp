// tokensync status
#pragma once

#include <string>

namespace token_auth::tokensync {

// Writes what there is to say of the store to standard output.
void status(const std::string& path, bool json);

}  // namespace token_auth::tokensync
