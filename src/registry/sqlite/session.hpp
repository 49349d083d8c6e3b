// What only an SQLite registry needs: the file, its pragmas, its errors.
#pragma once

#include <memory>
#include <string>

#include <soci/soci.h>

#include "base/error.hpp"
#include "registry/connection.hpp"

namespace token_auth::registry::sqlite {

// Opens the registry in that file and checks that it is one; base::Error.
std::unique_ptr<soci::session> open(const Location& location, Access access);

// Makes the file, all or nothing; base::Error.
void create(const Location& location, const std::string& registry_id, std::int64_t now);

// The error that the tools' users see for one of SOCI's; none of the statement's values in it.
base::Error explain(const Location& location, const soci::soci_error& error);

}  // namespace token_auth::registry::sqlite
