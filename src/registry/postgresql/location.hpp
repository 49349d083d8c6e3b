// Where a PostgreSQL registry is: the schema `token_auth` of the database that a URL names.
//
// Source: libpq (PQconninfoParse). Passwords, password files, TLS and services are libpq's to find.
#pragma once

#include <string>
#include <string_view>

#include "registry/session.hpp"

namespace token_auth::registry::postgresql {

// Whether it is a URL of libpq's.
bool is_url(std::string_view url);

// The location that a URL of libpq's names; base::Error (wrong usage) if it is malformed. `path` of
// it is a connection string with time limits, so that a server that is gone is noticed.
Location parse(const std::string& url);

}  // namespace token_auth::registry::postgresql
