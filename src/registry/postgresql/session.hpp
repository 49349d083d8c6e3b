// What only a PostgreSQL registry needs: connection strings, its schema, its errors.
//
// Source: libpq (PQconninfoParse, PQconnectdb). The registry is the schema `token_auth` of the
// database that the URL names. Passwords, password files, TLS and services are libpq's to find.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <soci/soci.h>

#include "base/error.hpp"
#include "registry/connection.hpp"

namespace token_auth::registry::postgresql {

// PostgreSQL's oldest version with 64-bit transaction numbers in SQL.
inline constexpr int server_version_min = 130000;

// Whether it is a URL of libpq's.
bool is_url(std::string_view url);

// The location that a URL of libpq's names; base::Error (wrong usage) where it is malformed. `path`
// of it is a connection string with time limits, so that a server that is gone is noticed.
Location parse(const std::string& url);

// Opens the registry and checks that it is one; base::Error.
std::unique_ptr<soci::session> open(const Location& location, Access access);

// Begins a transaction of one snapshot; with Access::write, after whoever else runs tokenctl.
void begin(soci::session& session, Access access);

// Ends a transaction that failed.
void roll_back(soci::session& session) noexcept;

// To be called after a commit: shortens the change log, where there is something to shorten.
void tidy(soci::session& session) noexcept;

// Makes the schema in the database, all or nothing; base::Error. False if this account may not make
// the roles.
bool create(const Location& location, const std::string& registry_id, std::int64_t now);

// The error that the tools' users see: for SOCI's, and for an SQLSTATE (five characters; empty
// where there is no connection) with the server's message.
base::Error explain(const Location& location, const soci::soci_error& error);
base::Error explain(const Location& location, std::string_view sqlstate, std::string_view message);

// Checks that the server's version and the registry's schema are ones that this program knows.
// `schema` is meta's row schema_version, empty where there is none.
void require_known(const Location& location, int server_version, const std::string& schema);

}  // namespace token_auth::registry::postgresql
