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
    std::size_t left_out = 0;  // removed since the line was written
    // Of the tokens added or updated, those of organizations and groups with neither role nor
    // scopes.
    std::size_t powerless = 0;
};

// What becomes of a field that a line leaves out, and of what was removed from the registry.
enum class ImportMode {
    merge,    // the field stays as it is; what was removed stays away
    replace,  // the field gets its default; what was removed comes back
};

// Puts every line of the input into the registry; all of it or, on base::Error, nothing. `name` is
// how messages call the input. What a line names must exist or stand before it; no two lines may
// name the same entity or digest.
//
// With `merge`, an older export never lets in what is locked out meanwhile. A token that has been
// rotated keeps its end unless the line knows the successor. A deleted token is known by its id in
// the audit trail; a removed membership, by a line that says it was created before that.
ImportCounts import_lines(Registry& registry, const Author& author, std::istream& input,
                          const std::string& name, ImportMode mode);

// Gives every entity's line, with its newline, in an order that import_lines() takes: roles,
// scopes, organizations, groups, users, memberships, tokens, each by its key. Passwords and
// sessions are not among them.
void export_lines(Registry& registry, const std::function<void(const std::string&)>& each);

}  // namespace token_auth::registry
