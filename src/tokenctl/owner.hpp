// Root acts as the account that an SQLite registry belongs to.
#pragma once

#include "registry/session.hpp"

namespace token_auth::tokenctl {

// Takes on that account for good, with its groups, if root runs this and the registry's directory
// and its file (if there is one) belong to one other account: what is made there becomes that
// account's, and no link that it has put there leads root elsewhere. base::Error if that fails.
void become_owner(const registry::Location& location);

}  // namespace token_auth::tokenctl
