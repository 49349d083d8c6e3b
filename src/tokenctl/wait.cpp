#include "tokenctl/wait.hpp"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
#include "registry/hosts.hpp"
#include "registry/reports.hpp"
#include "registry/source.hpp"

namespace token_auth::tokenctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_looks{20};

struct Progress {
    std::vector<std::string> applied;
    std::vector<std::string> behind;
    std::vector<std::string> unseen;  // of late
};

// The hosts that a change is waited for: those that were seen of late at any look, so that one that
// falls silent meanwhile is not taken for one that has applied it.
class Hosts {
  public:
    // `reports`: null if there are none.
    Hosts(registry::Session* reports, registry::Source& source)
        : reports_(reports), source_(source), target_(source.position()) {}

    Progress look() {
        Progress progress;
        if (reports_ == nullptr) {
            return progress;
        }
        for (const registry::Host& host : registry::hosts(*reports_)) {
            const std::string& name = host.report.name;
            if (host.seen <= seen_of_late || awaited_.contains(name)) {
                awaited_[name] = has_applied(host.report.position);
            } else {
                progress.unseen.push_back(name);
            }
        }
        for (const auto& [name, applied] : awaited_) {
            (applied ? progress.applied : progress.behind).push_back(name);
        }
        return progress;
    }

  private:
    // Many hosts are at few positions, and each is asked again and again.
    bool has_applied(const std::string& position) {
        const auto known = known_.find(position);
        if (known != known_.end()) {
            return known->second;
        }
        return known_[position] = source_.no_change_between(position, target_);
    }

    registry::Session* reports_;
    registry::Source& source_;
    std::string target_;
    std::map<std::string, bool> awaited_;  // by name: whether it has applied the change
    std::map<std::string, bool> known_;    // by position
};

int conclude(const Progress& progress, const std::string& waited) {
    if (!progress.unseen.empty()) {
        cli::warn(fmt::format("not seen in the last minute: {}", fmt::join(progress.unseen, ", ")));
    }
    if (!progress.behind.empty()) {
        cli::warn(
            fmt::format("the change is made, but not applied within {} on {}; see `tokenctl "
                        "hosts`",
                        waited, fmt::join(progress.behind, ", ")));
        return cli::exit_differs;
    }
    if (progress.applied.empty()) {
        cli::warn(
            "the change is made, but no host reported in the last minute that could have applied "
            "it; see `tokenctl hosts`");
        return cli::exit_differs;
    }
    cli::note(fmt::format("applied on {}: {}", base::counted(progress.applied.size(), "host"),
                          fmt::join(progress.applied, ", ")));
    return cli::exit_done;
}

}  // namespace

std::unique_ptr<registry::Session> open_reports(const Context& context) {
    return registry::open_reports(
        registry::reports_location(registry::parse_location(context.registry_url),
                                   context.usage_db),
        registry::Access::read);
}

int wait_for_hosts(const Context& context) {
    if (context.wait.empty()) {
        return cli::exit_done;
    }
    try {
        const auto deadline =
            Clock::now() + std::chrono::seconds(cli::duration_option("--wait", context.wait));
        const auto source = registry::open_registry(context.registry_url);
        const auto reports = open_reports(context);
        Hosts hosts(reports.get(), *source);
        Progress progress = hosts.look();
        while (!progress.behind.empty() && Clock::now() < deadline) {
            std::this_thread::sleep_for(between_looks);
            progress = hosts.look();
        }
        return conclude(progress, context.wait);
    } catch (const base::Error& error) {
        cli::warn(
            fmt::format("the change is made, but whether the hosts have applied it is "
                        "unknown: {}",
                        error.what()));
        return cli::exit_differs;
    }
}

}  // namespace token_auth::tokenctl
