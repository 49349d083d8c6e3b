// tokensync compact
#pragma once

#include "store_writer/directory.hpp"

namespace token_auth::tokensync {

// Puts a copy of the store without unused pages in its place, and writes to standard output what
// that brought. Needs no registry, and a running "tokensync watch" need not be stopped: nothing
// that it writes meanwhile is lost. StoreError if it cannot be replaced.
void compact(const store_writer::StoreOptions& options, bool json);

}  // namespace token_auth::tokensync
