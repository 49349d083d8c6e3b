#include "tokenapi/request.hpp"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

bool equal_without_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Whether a Content-Type is of that type; of parameters only charset=utf-8 may stand there.
bool is_media_type(std::string_view value, std::string_view type) {
    const std::size_t end = std::min(value.find(';'), value.size());
    if (!equal_without_case(trimmed(value.substr(0, end)), type)) {
        return false;
    }
    const std::string_view rest = trimmed(value.substr(std::min(end + 1, value.size())));
    return rest.empty() || equal_without_case(rest, "charset=utf-8") ||
           equal_without_case(rest, "charset=\"utf-8\"");
}

}  // namespace

Request::~Request() {
    explicit_bzero(body.data(), body.size());
    for (auto& [name, value] : headers) {
        explicit_bzero(value.data(), value.size());
    }
}

std::vector<std::string_view> Request::values(std::string_view name) const {
    std::vector<std::string_view> out;
    for (const auto& [each, value] : headers) {
        if (equal_without_case(each, name)) {
            out.emplace_back(value);
        }
    }
    return out;
}

std::optional<std::string_view> Request::value(std::string_view name) const {
    const auto all = values(name);
    if (all.size() > 1) {
        Errors errors;
        errors.add(name, "must come once");
        errors.refuse(ProblemCode::query_invalid);
    }
    return all.empty() ? std::nullopt : std::optional(all.front());
}

std::string_view Request::client_address() const {
    const auto all = values("X-Real-IP");
    return all.size() == 1 ? all.front() : std::string_view();
}

void require_media_type(const Request& request, Takes takes, bool has_body) {
    if (takes == Takes::nothing || (takes == Takes::json_or_nothing && !has_body)) {
        return;
    }
    const std::string_view type =
        takes == Takes::form ? "application/x-www-form-urlencoded" : "application/json";
    const auto types = request.values("Content-Type");
    if (types.size() != 1 || !is_media_type(types.front(), type) ||
        !request.values("Content-Encoding").empty()) {
        throw Problem(ProblemCode::media_type_unsupported,
                      std::string("The body must be ") + std::string(type) +
                          ", in UTF-8, without a content coding.");
    }
}

}  // namespace token_auth::tokenapi
