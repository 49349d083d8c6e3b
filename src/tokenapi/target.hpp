// A request's target: the path's segments, and the parameters behind it.
//
// Source: RFC 3986 sections 2.1 and 3.3; WHATWG URL, application/x-www-form-urlencoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace token_auth::tokenapi {

struct Parameter {
    std::string name;
    std::string value;
};

// The segments of a path, which is split before it is decoded. None if the path is not absolute,
// a segment is empty, or one decodes to something that holds a slash or is not UTF-8 without NUL.
std::optional<std::vector<std::string>> parse_path(std::string_view path);

// The parameters of a query or a form, in their order; no name may come twice. None if they are
// malformed, not UTF-8 without NUL, or too many.
std::optional<std::vector<Parameter>> parse_parameters(std::string_view text);

}  // namespace token_auth::tokenapi
