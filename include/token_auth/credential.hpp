// The Authorization field, taken apart. Nothing is copied: views point into the input.
//
// Sources: RFC 9110 section 11.4 (credentials, token68), RFC 6750 section 2.1 (Bearer).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace token_auth {

inline constexpr std::size_t token_max = 4096;  // bytes

// A bit each, so that a set of them is an unsigned.
enum Scheme : std::uint8_t {
    scheme_bearer = 1,
    scheme_token = 2,
};

enum class Presented : std::uint8_t {
    nothing,            // no field, an empty one, or a scheme that is none of ours
    token,              // a well-formed token
    malformed_request,  // a scheme of ours with nothing or something broken behind it
    malformed_token,    // there is a token, but it is no token68 or too long
};

struct Credential {
    Presented presented = Presented::nothing;
    std::string_view token{};  // set where presented is Presented::token
};

// token68 of RFC 9110 section 11.2, 1 to 4096 bytes.
bool is_token68(std::string_view text) noexcept;

// One Authorization field value; `schemes` is the set of accepted schemes.
Credential parse_authorization(std::string_view field, unsigned schemes) noexcept;

// A value that is the token itself (from a header field, an argument or a cookie).
Credential parse_bare(std::string_view value) noexcept;

}  // namespace token_auth
