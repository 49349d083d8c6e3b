// The module's answers, one for each code.
//
// Sources: RFC 6750 section 3.1 (error codes), RFC 9110 section 15 (status codes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace token_auth {

// In the order of checking: the first code that applies is the answer.
enum class Code : std::uint8_t {
    ok,
    anonymous,
    preflight,
    credentials_missing,
    request_malformed,
    token_malformed,
    store_unavailable,
    store_stale,
    token_unknown,
    token_revoked,
    token_not_yet_valid,
    token_expired,
    address_not_allowed,
    kind_not_allowed,
    organization_missing,
    organization_malformed,
    organization_mismatch,
    not_a_member,
    organization_suspended,
    group_missing,
    role_missing,
    scope_missing,
};

inline constexpr std::size_t code_count = static_cast<std::size_t>(Code::scope_missing) + 1;

// The views point to static storage.
struct Answer {
    Code code;
    std::uint16_t status;     // HTTP status; 0 if the request is let through
    std::string_view name;    // "token_expired"
    std::string_view error;   // RFC 6750 error code; empty if the challenge has none
    std::string_view title;   // RFC 9457 title: the reason phrase of the status
    std::string_view detail;  // one sentence for the client
};

const Answer& answer(Code code) noexcept;

}  // namespace token_auth
