// A world for benchmarks: tokens by number, the same ones in every run and program.
//
// Every fourth token is a user's, the others are organizations'. There is an organization for 100
// tokens, and a user with one membership for every user token. The tokens open nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "token_auth/record.hpp"

namespace token_auth::bench {

inline constexpr std::size_t role_count = 8;

inline constexpr bool is_user(std::uint64_t number) {
    return number % 4 == 3;
}

// As tokenctl makes them: prefix, id, secret and check, 69 bytes (a user's: 70).
std::string token_text(std::uint64_t number);

std::string organization_of(std::uint64_t number);
std::string user_of(std::uint64_t number);
std::string role_name(std::size_t role);
std::string role_scopes(std::size_t role);

inline std::size_t role_of(std::uint64_t number) {
    return number % role_count;
}
inline std::uint64_t organization_count(std::uint64_t tokens) {
    return tokens / 100 + 1;
}

// A token's record, with what its views point into.
class TokenEntry {
  public:
    explicit TokenEntry(std::uint64_t number);
    TokenEntry(const TokenEntry&) = delete;
    TokenEntry& operator=(const TokenEntry&) = delete;

    const TokenRecord& record() const { return record_; }

  private:
    std::string id_, subject_, organization_, role_, name_;
    TokenRecord record_;
};

}  // namespace token_auth::bench
