// The organization or group that a path names.
#pragma once

#include <string>

#include "registry/guarded.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

// Without a place if the path has none.
inline registry::PlaceName place_of(const Call& call) {
    const auto argument = [&](std::string_view name) {
        const auto found = call.arguments.find(name);
        return found == call.arguments.end() ? std::string() : found->second;
    };
    return {argument("org"), argument("group")};
}

// Of the place: "/api/v1/organizations/acme".
inline std::string path_of(const registry::PlaceName& place) {
    return "/api/v1/organizations/" + place.organization +
           (place.group.empty() ? "" : "/groups/" + place.group);
}

// Whether a list is to hold what is in the organization's groups, too.
inline bool includes_groups(ParameterReader& parameters) {
    return parameters
        .text("include", query_max,
              [](std::string_view text) -> const char* {
                  return text == "groups" ? nullptr : "must be groups";
              })
        .has_value();
}

}  // namespace token_auth::tokenapi
