// Rotating tokens: a successor with the same rights, and a predecessor that soon ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "registry/token_digester.hpp"
#include "registry/token_text.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

// Refusal (not_rotatable) of a token that is revoked or expired, or has a successor; or has a keyed
// digest, if there is no key for another one.
void require_rotatable(const Token& token, const TokenDigester& digester, std::int64_t now);

struct Rotation {
    std::int64_t grace = 86400;             // seconds that the predecessor lives on
    std::optional<std::int64_t> expires{};  // the successor's, 0 for never; else it lives as long
                                            // as its predecessor was made to
    std::string prefix{};                   // empty: the predecessor's
};

// What is to be put: the same rights, begun now. An expiry that is not named is cut to the policy.
Token successor_of(const Token& predecessor, const Rotation& rotation, const Policy& policy,
                   std::int64_t now);

struct RotatedToken {
    Token before;
    Token predecessor;  // as it is now
    Token successor;
    std::unique_ptr<TokenText> text;  // the successor's
};
RotatedToken put_rotation(Writer& writer, TokenDigester& digester, const Token& predecessor,
                          const Token& successor, std::int64_t grace);

// Takes back a rotation whose new token nobody has seen.
void undo_rotation(Writer& writer, const RotatedToken& rotated);

}  // namespace token_auth::registry
