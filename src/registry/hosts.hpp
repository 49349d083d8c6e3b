// The nginx hosts, as the tokensync on each of them reports itself (reports.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "registry/session.hpp"

namespace token_auth::registry {

// Whether a host tells when tokens were used last (usage.hpp).
enum class TellsUsage { no, trying, yes };

struct HostReport {
    std::string name;
    std::string version;  // of its tokensync
    std::uint64_t generation = 0;
    std::string position;  // Source's
    std::int64_t age = 0;  // seconds since the last completed sync
    std::uint64_t held_back = 0;
    std::uint64_t left_out = 0;
    std::string problem;  // that keeps it from syncing; empty: none
    TellsUsage tells_usage = TellsUsage::no;
    std::uint64_t usage_lost = 0;  // uses that nginx had no room for
    std::string usage_problem;     // that keeps it from telling; empty: none
};

struct Host {
    HostReport report;
    std::int64_t schema = 0;  // the newest version of the registry that its tokensync reads
    std::int64_t seen = 0;    // seconds ago, by the database's clock
    // Unix seconds; a host that tells of uses has done so since, or another one whose place it may
    // have taken. 0: it does not.
    std::int64_t usage_since = 0;
};

// Puts it in place of the host's last one.
void put_report(Session& reports, const HostReport& report);

// Generation and position of the host's last one.
std::optional<HostReport> report_of(Session& reports, const std::string& name);

// By name; those that have not reported for 30 days are left out.
std::vector<Host> hosts(Session& reports);
// Removes these.
void forget_hosts(Session& reports);

}  // namespace token_auth::registry
