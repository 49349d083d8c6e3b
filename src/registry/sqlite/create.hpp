// Makes the file of an SQLite registry.
#pragma once

#include <cstdint>
#include <string>

#include "registry/session.hpp"

namespace token_auth::registry::sqlite {

// Makes the file, all or nothing; base::Error.
void create(const Location& location, const std::string& registry_id, std::int64_t now);

}  // namespace token_auth::registry::sqlite
