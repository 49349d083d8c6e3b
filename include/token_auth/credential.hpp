// Parses credentials: the Authorization field, or a token alone. Views point into the input.
//
// Sources: RFC 9110 sections 11.2 (token68, auth-param) and 11.4 (credentials), RFC 6750
// section 2.1 (Bearer).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace token_auth {

inline constexpr std::size_t token_max = 4096;  // bytes

// Bits of a set, which is an unsigned.
enum Scheme : std::uint8_t {
    scheme_bearer = 1,
    scheme_token = 2,
};

enum class CredentialStatus : std::uint8_t {
    missing,            // no field, an empty one, or one of a scheme that is not accepted
    well_formed,        // a token of the right form
    malformed_request,  // an accepted scheme without a token, or with broken syntax
    malformed_token,    // a token that is too long or not a token68
};

struct Credential {
    CredentialStatus status = CredentialStatus::missing;
    std::string_view token{};  // only if well-formed
};

// token68 of RFC 9110 section 11.2, 1 to token_max bytes.
bool is_token68(std::string_view text) noexcept;

// Parses the value of an Authorization field. `schemes` is the set of accepted schemes.
Credential parse_authorization(std::string_view field, unsigned schemes) noexcept;

// Parses a value that is the whole token (from another field, an argument or a cookie).
Credential parse_bare(std::string_view value) noexcept;

// The id in a token of the form that tokenctl makes, "<prefix>_<id>.<secret>"; else empty. It
// proves nothing, and is no part of the secret.
std::string_view claimed_id(std::string_view token) noexcept;

}  // namespace token_auth
