// A whole request, taken off the connection. Wiped when it goes: it may hold a credential.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_fwd.hpp"
#include "tokenapi/target.hpp"

namespace token_auth::tokenapi {

class Request {
  public:
    Request() = default;
    ~Request();
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    std::string method;
    std::string path;   // as it came
    std::string query;  // as it came, without the "?"
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    // The values of a field, whose name is compared without case.
    std::vector<std::string_view> values(std::string_view name) const;
    // The value of a field that may come only once; none if it is not there. Throws Problem
    // (query_invalid) if it came more than once.
    std::optional<std::string_view> value(std::string_view name) const;

    // X-Real-IP, which nginx sets; empty if there is none, or more than one.
    std::string_view client_address() const;
};

// What a route takes for a body.
enum class Takes {
    nothing,          // a body is read and left alone
    json,             // application/json, an object
    json_or_nothing,  // the same, or no body
    form,             // application/x-www-form-urlencoded
};

// Throws Problem (media_type_unsupported) if the fields say that the body is not what the route
// takes. For `json_or_nothing`: whether there is a body.
void require_media_type(const Request& request, Takes takes, bool has_body);

}  // namespace token_auth::tokenapi
