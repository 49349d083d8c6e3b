// Makes a PostgreSQL registry.
#pragma once

#include <cstdint>
#include <string>

#include "registry/session.hpp"

namespace token_auth::registry::postgresql {

// Makes the schema in the database, all or nothing; base::Error. False if this account may not make
// the roles.
bool create(const Location& location, const std::string& registry_id, std::int64_t now);

}  // namespace token_auth::registry::postgresql
