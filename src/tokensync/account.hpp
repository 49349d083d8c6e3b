// Whose tokensync runs as, if root starts it.
#pragma once

#include <sys/types.h>

#include "store_writer/directory.hpp"

namespace token_auth::tokensync {

// For root: the account that owns the store's directory, or the one above if there is none yet.
// Throws base::Error (refused) if somebody else could lead root elsewhere: a directory or link on
// the way belongs to a third account, or, for a store of root's own, is writable by others.
uid_t store_owner(const store_writer::StoreOptions& options);

// As root: takes on that account for good, with nginx's group among its groups so that it may give
// the store to that. To be called before anything in these directories is opened: their owner could
// put links there. Does nothing for another account, or if root owns them. Throws base::Error.
void become_owner(const store_writer::StoreOptions& options);

}  // namespace token_auth::tokensync
