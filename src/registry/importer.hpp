// A whole registry in and out, as JSON Lines.
#pragma once

#include <cstddef>
#include <functional>
#include <istream>
#include <string>

#include "registry/registry.hpp"

namespace token_auth::registry {

struct ImportCounts {
    std::size_t added = 0;
    std::size_t updated = 0;
    std::size_t unchanged = 0;
};

// Puts every line of the input into the registry; all of it or, on base::Error, nothing. `name` is
// how messages call the input. What a line names must exist or stand before it.
ImportCounts import_lines(Registry& registry, const Author& author, std::istream& input,
                          const std::string& name);

// Gives every entity's line, with its newline, in an order that import_lines() takes: roles,
// organizations, groups, users, memberships, tokens, each by its key.
void export_lines(Registry& registry, const std::function<void(const std::string&)>& each);

}  // namespace token_auth::registry
