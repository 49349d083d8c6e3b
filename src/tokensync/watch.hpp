// Keeps a store up to date until told to stop.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "registry/session.hpp"
#include "registry/source.hpp"
#include "store_writer/directory.hpp"
#include "tokensync/usage_collector.hpp"
#include "tokensync/watch_log.hpp"

namespace token_auth::tokensync {

struct WatchOptions {
    std::chrono::seconds heartbeat{0};
    LogFormat format = LogFormat::text;
    std::string host;                              // what it reports itself as
    std::optional<registry::Location> reports_to;  // empty: it does not
    std::optional<UsageOptions> usage;             // likewise
    std::string metrics;                           // a file; empty: none
};

// Runs until SIGTERM or SIGINT. Once the store has been brought up to date for the first time,
// nothing but these ends it: errors are logged when they begin and when they end, and tried again
// while the store goes on being served. Before that, only the registry is waited for; what is
// wrong with the store, and what is refused, is thrown.
//
// Each `heartbeat` (0: never) the store is told that it is still up to date. A store that is
// replaced meanwhile, by "tokensync compact" or by hand, is gone on with within a second. Damage to
// it is looked for once an hour, and on SIGHUP (see scrub.hpp).
//
// False if the registry can be opened with rights only that this process gave up (see
// supervise.hpp).
bool watch(registry::Source& source, const store_writer::StoreOptions& options,
           const WatchOptions& how);

}  // namespace token_auth::tokensync
