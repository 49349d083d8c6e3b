// What a request says of who sends it: a session's cookie, a token, the page it comes from.
//
// Sources: RFC 6265 section 4.2 (Cookie), RFC 6454 (Origin), W3C Fetch Metadata (Sec-Fetch-Site),
// RFC 7617 (Basic).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tokenapi/request.hpp"

namespace token_auth::tokenapi {

class Settings;

// Views are of the request.
struct Credentials {
    std::optional<std::string_view> session;        // the cookie's value
    std::optional<std::string_view> authorization;  // the field's value
};

// Problem (credentials_ambiguous) if there are both, or several of one that are not the same.
Credentials credentials_of(const Request& request);

// Throws Problem (origin_not_allowed) unless the request comes from a page of ours: by Origin or,
// if there is none, by Sec-Fetch-Site.
void require_own_origin(const Request& request, const Settings& settings);

// For Set-Cookie: begins or ends the session in the browser.
std::string session_cookie(std::string_view id);
std::string ended_session_cookie();

// User name and password of Basic, wiped when they go.
struct NameAndPassword {
    std::string name;
    std::string password;

    NameAndPassword() = default;
    NameAndPassword(const NameAndPassword&) = delete;
    NameAndPassword& operator=(const NameAndPassword&) = delete;
    NameAndPassword(NameAndPassword&&) = default;
    NameAndPassword& operator=(NameAndPassword&&) = default;
    ~NameAndPassword();
};

// None if the field's value is of another scheme. Problem (request_malformed).
std::optional<NameAndPassword> parse_basic(std::string_view authorization);

}  // namespace token_auth::tokenapi
