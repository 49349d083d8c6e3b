#include "tokenapi/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "token_auth/text.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/target.hpp"

namespace token_auth::tokenapi {
namespace {

// The arguments, if the path is one of the pattern.
std::optional<Arguments> match(const std::vector<std::string>& pattern,
                               const std::vector<std::string>& segments) {
    if (pattern.size() != segments.size()) {
        return std::nullopt;
    }
    Arguments arguments;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const std::string& wanted = pattern[i];
        if (wanted.front() != '{') {
            if (segments[i] != wanted) {
                return std::nullopt;
            }
        } else if (is_identifier(segments[i])) {
            arguments.emplace(wanted.substr(1, wanted.size() - 2), segments[i]);
        } else {
            return std::nullopt;
        }
    }
    return arguments;
}

}  // namespace

Router::Router(std::span<const Route> routes) {
    for (const Route& route : routes) {
        // `{id}` is no path that a client could write: split it as it is.
        Pattern pattern{&route, {}};
        std::string_view rest = route.path;
        while (!rest.empty()) {
            rest.remove_prefix(1);
            const std::string_view segment = rest.substr(0, rest.find('/'));
            pattern.segments.emplace_back(segment);
            rest.remove_prefix(segment.size());
        }
        patterns_.push_back(std::move(pattern));
    }
}

void Router::find(Call& call) const {
    const auto segments = parse_path(call.request.path);
    if (!segments) {
        throw Problem(ProblemCode::not_found);
    }
    const std::string method = call.request.method == "HEAD" ? "GET" : call.request.method;
    std::set<std::string> allowed;
    for (const Pattern& pattern : patterns_) {
        auto arguments = match(pattern.segments, *segments);
        if (!arguments) {
            continue;
        }
        if (pattern.route->method == method) {
            call.route = pattern.route;
            call.arguments = std::move(*arguments);
            auto parameters = parse_parameters(call.request.query);
            if (!parameters) {
                throw Problem(ProblemCode::query_invalid);
            }
            call.parameters = std::move(*parameters);
            return;
        }
        allowed.insert(pattern.route->method);
    }
    if (allowed.empty()) {
        throw Problem(ProblemCode::not_found);
    }
    if (allowed.count("GET") != 0) {
        allowed.insert("HEAD");
    }
    throw Problem(ProblemCode::method_not_allowed)
        .header("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
}

}  // namespace token_auth::tokenapi
