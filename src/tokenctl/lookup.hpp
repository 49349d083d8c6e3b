// Names and ids on the command line: checked, and looked up in the registry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "registry/reader.hpp"

namespace token_auth::tokenctl {

// These check before the registry is opened, and throw base::Error (invalid argument).

// `noun` is what the identifiers name: "user".
void require_identifiers(std::string_view noun, const std::vector<std::string>& names);
// "acme/ops"
registry::Group parse_group(const std::string& text);
// The words of all values, which are separated by spaces. Each value has one at least: taken for
// "no scope" or "no address", an empty one would let in more than was meant. `noun` is plural.
std::vector<std::string> words_of(std::string_view noun, const std::vector<std::string>& values);
// Sorted, each once. Warns of a comma, which nginx's directives would not separate by either.
std::vector<std::string> scopes_of(const std::vector<std::string>& values);
// Above all, refuses a whole token, and does not repeat it.
void require_token_ids(const std::vector<std::string>& ids);
// The same for commands that work on a row whatever its id is, should SQL have made an odd one: the
// id is checked once it was not found.
void require_no_whole_tokens(const std::vector<std::string>& ids);

// These throw base::Error if there is no such thing.

registry::Organization need_organization(registry::Reader& reader, const std::string& id);
registry::Group need_group(registry::Reader& reader, const registry::Group& named);
registry::User need_user(registry::Reader& reader, const std::string& id);
registry::Role need_role(registry::Reader& reader, const std::string& id);
registry::TokenView need_token(registry::Reader& reader, const std::string& id);

// The errors for an id that no token or user or organization has.
base::Error no_organization(const std::string& id);
base::Error no_user(const std::string& id);
base::Error no_token(registry::Reader& reader, const std::string& id);

// Removing `noun` `name` deletes the tokens that match the filter: throws base::Error if there are
// any, unless it is forced. Returns what to say of them behind "removed".
std::string require_no_tokens(registry::Reader& reader, const registry::TokenFilter& filter,
                              std::string_view noun, std::string_view name, bool force);

// The error for something that is to be added and is there already.
base::Error exists(std::string_view noun, std::string_view name);

}  // namespace token_auth::tokenctl
