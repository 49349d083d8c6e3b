// What this program makes of a registry's version, and how an older one becomes one of this
// version. Versions are compared here and nowhere else.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/session.hpp"
#include "registry/set_aside.hpp"

namespace token_auth::registry {

struct Author;

// base::Error unless the version is one from `oldest` to this program's.
void require_version(const Location& location, std::int64_t version, int oldest);

// What `init` says of a registry that is there: "is a registry already (version 2); …".
std::string exists_already(std::int64_t version);

// What brings a registry from version `from` to this program's.
struct Migration {
    std::int64_t from = 0;
    std::vector<std::string_view> additions;  // to it; empty: up to date
    std::vector<SetAside> set_aside;          // rows that it refuses
};

// Changes nothing. base::Error for a version that a newer release made.
Migration plan_migration(const Location& location);

// Does it, in one transaction with its row in the audit trail; calls `announce` before the first
// change. Calls nothing and changes nothing if the registry is up to date.
Migration migrate(const Location& location, const Author& author,
                  const std::function<void(const Migration&)>& announce);

}  // namespace token_auth::registry
