// Requests that depend on what is there, or on whether they came before.
//
// Source: RFC 9110 sections 8.8.3 (ETag), 13.1.1 (If-Match) and 13.1.2 (If-None-Match).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tokenapi/request.hpp"

namespace token_auth::tokenapi {

// The strong entity tag of what can be changed, in its quotes: `content` is a text that differs
// whenever that does.
std::string entity_tag(std::string_view content);

// Throws Problem (changed_meanwhile) if the request has an If-Match that does not name the tag, or
// an If-None-Match that does. One that is malformed names none.
void require_match(const Request& request, std::string_view tag);

// The request's Idempotency-Key, 1 to 64 printable bytes; none if it has none. Problem
// (query_invalid) if it is something else.
std::optional<std::string> idempotency_key(const Request& request);

}  // namespace token_auth::tokenapi
