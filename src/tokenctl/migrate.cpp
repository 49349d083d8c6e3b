// migrate: brings a registry that an older release made to this one's version.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "registry/hosts.hpp"
#include "registry/version.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/owner.hpp"
#include "tokenctl/wait.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr std::int64_t without_hosts = 1;  // the version whose tokensync do not report

// Those that would not read the registry any more. base::Error if that cannot be said.
std::vector<std::string> hosts_too_old(const Context& context) {
    std::vector<std::string> names;
    const auto reports = open_reports(context);
    if (reports) {
        for (const registry::Host& host : registry::hosts(*reports)) {
            if (host.schema < registry::schema_version) {
                names.push_back(fmt::format("{} ({})", host.report.name, host.report.version));
            }
        }
    }
    return names;
}

void require_hosts(const registry::Location& location, const std::vector<std::string>& too_old) {
    if (!too_old.empty()) {
        throw base::Error(fmt::format(
            "registry {}: not migrated: no change, not even a revocation, would reach these hosts, "
            "whose tokensync is too old: {}; upgrade token-auth there first, or use --force",
            location.shown, fmt::join(too_old, ", ")));
    }
}

void announce(const registry::Location& location, const registry::Migration& migration,
              const std::vector<std::string>& too_old) {
    cli::note(fmt::format("registry {}: from version {} to {}, in one transaction", location.shown,
                          migration.from, registry::schema_version));
    for (const std::string_view addition : migration.additions) {
        cli::note(fmt::format("  adds {}", addition));
    }
    for (const registry::SetAside& row : migration.set_aside) {
        cli::note(fmt::format("  {} {} {}: {}", row.kept ? "mends" : "sets aside", row.entity,
                              base::quoted(row.key), row.reason));
    }
    if (migration.from == without_hosts) {
        cli::note(
            "  hosts with tokensync 0.1 do not report, and cannot be seen from here: see that none "
            "is left");
    }
    if (!too_old.empty()) {
        cli::note(fmt::format("  hosts whose tokensync is too old: {}", fmt::join(too_old, ", ")));
    }
    if (!migration.set_aside.empty()) {
        cli::note(
            "  what is set aside lets nobody in any more; the rows are kept whole in the table "
            "set_aside");
    }
}

int migrate(const Context& context, bool dry_run, bool force) {
    context.refuse_wait();
    const auto location = registry::parse_location(context.registry_url);
    become_owner(location);
    std::vector<std::string> too_old;
    const auto announced = [&](const registry::Migration& migration) {
        if (!force) {
            too_old = hosts_too_old(context);
        }
        if (!context.json) {
            announce(location, migration, too_old);
        }
        if (!dry_run) {
            require_hosts(location, too_old);
        }
    };
    const registry::Migration migration =
        dry_run ? registry::plan_migration(location)
                : registry::migrate(location, context.author(), announced);
    const char* outcome = dry_run ? "planned" : "updated";
    std::string line =
        fmt::format("registry {}: has version {} now", location.shown, registry::schema_version);
    if (migration.additions.empty()) {
        outcome = "unchanged";
        line =
            fmt::format("registry {}: is up to date (version {})", location.shown, migration.from);
    } else if (dry_run) {
        announced(migration);
        line = "nothing was changed, as --dry-run says";
    }
    report(context, Report{json_of(migration, too_old, location.shown, outcome), line});
    return cli::exit_done;
}

}  // namespace

void add_migrate(cli::Command root, Context& context) {
    auto dry_run = std::make_shared<bool>(false);
    auto force = std::make_shared<bool>(false);
    cli::Command command =
        root.command("migrate", "Bring a registry that an older release made to this one's version",
                     [&context, dry_run, force] { return migrate(context, *dry_run, *force); });
    command.flag("--dry-run", *dry_run, "Only say what would be done");
    command.flag("--force", *force,
                 "Do not ask which hosts are too old; no change will reach those");
}

}  // namespace token_auth::tokenctl
