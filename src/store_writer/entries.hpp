// Values that hold several entries, because their keys are equal: of tokens, and of users.
#pragma once

#include <string>
#include <string_view>

#include "token_auth/record.hpp"

namespace token_auth::store_writer {

// The value with the entry in the place of the one of the same digest or user: entries
// are sorted by digest, or by their bytes. Throw DamagedRecord.
std::string with_token(std::uint64_t key, std::string_view value, std::string_view entry);
std::string with_user(std::string_view value, std::string_view entry);

// The value without the entry of that digest or user; empty if it was the only one. The digest's
// bytes, all of them.
std::string without_token(std::string_view value, std::string_view digest);
std::string without_user(std::string_view value, std::string_view user);

// Puts one token's entry behind others of the same key.
void append_token(std::string& value, std::string_view entry);

}  // namespace token_auth::store_writer
