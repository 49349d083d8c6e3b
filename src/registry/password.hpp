// Passwords' hashes: argon2id. Computing one takes 19 MiB and some hundredths of a second.
//
// Source: RFC 9106; libsodium, "Password hashing"; OWASP, Password Storage Cheat Sheet (19 MiB, two
// passes).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace token_auth::registry {

// Bytes of a new password.
inline constexpr std::size_t password_min = 12;
inline constexpr std::size_t password_max = 1024;

// Null: nothing is wrong with a new password; else a clause.
const char* password_problem(std::string_view password);

// In the form of the PHC string format: "$argon2id$v=19$…". base::Error if there is no memory.
std::string hash_password(std::string_view password);
// Whether the password, of any length, is that of the hash.
bool is_password(std::string_view password, const std::string& hash);
// A hash of no known password, for people who have none: so that checking takes as long.
const std::string& dummy_password_hash();

}  // namespace token_auth::registry
