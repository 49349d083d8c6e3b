// The registry's schema, one text for each database; the same tables and columns in both.
//
// Every change of a table is logged in `changes` by triggers, so that nothing that writes the
// registry (tokenctl, or a platform's own dashboard over SQL) can forget it. A row there says
// which entity changed, not how: whoever syncs reads the entity's present state.
#pragma once

#include <string_view>
#include <vector>

namespace token_auth::registry {

inline constexpr int schema_version = 1;

// The statements that make an empty SQLite database a registry, in order, one each.
const std::vector<std::string_view>& sqlite_schema();

}  // namespace token_auth::registry
