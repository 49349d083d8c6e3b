// Whose tokensync runs as, if root starts it.
#pragma once

#include "store_writer/directory.hpp"

namespace token_auth::tokensync {

// As root: takes on the account that owns the store's directory, or the one above if there is none
// yet, with nginx's group among its groups so that it may give the store to that. To be called
// before anything in these directories is opened: their owner could put links there. Does nothing
// for another account, or if root owns them. Throws base::Error.
void become_owner(const store_writer::StoreOptions& options);

}  // namespace token_auth::tokensync
