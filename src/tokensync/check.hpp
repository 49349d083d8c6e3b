// tokensync check
#pragma once

#include <string>

#include "registry/source.hpp"

namespace token_auth::tokensync {

// Compares store and registry and writes what differs to standard output; true if nothing does.
bool check(registry::Source& source, const std::string& path, bool json);

}  // namespace token_auth::tokensync
