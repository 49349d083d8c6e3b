// --wait: until every nginx host has applied a change.
#pragma once

#include <memory>

#include "registry/session.hpp"
#include "tokenctl/context.hpp"

namespace token_auth::tokenctl {

// The exit status of a command whose change is committed: 4 if --wait says to wait, and not every
// host that reported in the last minute has applied it in that time, or none reported.
int wait_for_hosts(const Context& context);

// Where the hosts of the registry report, for reading; null if none ever has.
std::unique_ptr<registry::Session> open_reports(const Context& context);

// Of a host's last report; one that is further back does not count for --wait.
inline constexpr std::int64_t seen_of_late = 60;

}  // namespace token_auth::tokenctl
