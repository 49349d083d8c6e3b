// The text of new tokens: "<prefix>_<id>.<secret><check>", all of it base62 but for the marks.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "registry/model.hpp"

namespace token_auth::registry {

// With a prefix of up to 3 letters it is one block of SHA-256: 55 bytes.
inline constexpr std::size_t id_length = 11;
inline constexpr std::size_t secret_length = 33;  // 196 bits
inline constexpr std::size_t check_length = 6;    // a CRC-32 (zlib's polynomial) of all before it

// A token's text, wiped when it goes.
class TokenText {
  public:
    // A new one with a random id and secret; base::Error if libcrypto has no random bytes.
    explicit TokenText(std::string_view prefix);
    ~TokenText();
    TokenText(const TokenText&) = delete;
    TokenText& operator=(const TokenText&) = delete;

    std::string_view view() const { return {buffer_.data(), size_}; }
    std::string id() const { return id_; }

  private:
    std::array<char, 128> buffer_{};
    std::size_t size_ = 0;
    std::string id_;
};

// "ak", "gk", "pat"
std::string_view default_prefix(Kind kind);

// Whether something that reads like a token of ours stands anywhere in the text.
bool holds_token(std::string_view text);

// What can be read in a text that has the form of a token of ours: proven is none of it.
struct TokenReading {
    std::string id;
    bool check_fits = false;  // if not, it holds a typo or is not whole
};
std::optional<TokenReading> read_token_text(std::string_view text);

// That many random bytes as lower-case hex digits.
std::string random_hex(std::size_t bytes);

}  // namespace token_auth::registry
