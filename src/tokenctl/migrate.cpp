// migrate: brings a registry that an older release made to this one's version.
#include <fmt/format.h>

#include <memory>

#include "base/redact.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "registry/version.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"

namespace token_auth::tokenctl {
namespace {

void announce(const registry::Location& location, const registry::Migration& migration) {
    cli::note(fmt::format("registry {}: from version {} to {}, in one transaction", location.shown,
                          migration.from, registry::schema_version));
    for (const std::string_view addition : migration.additions) {
        cli::note(fmt::format("  adds {}", addition));
    }
    for (const registry::SetAside& row : migration.set_aside) {
        cli::note(fmt::format("  {} {} {}: {}", row.kept ? "mends" : "sets aside", row.entity,
                              base::quoted(row.key), row.reason));
    }
    if (!migration.set_aside.empty()) {
        cli::note(
            "  what is set aside lets nobody in any more; the rows are kept whole in the table "
            "set_aside");
    }
}

int migrate(const Context& context, bool dry_run) {
    const auto location = registry::parse_location(context.registry_url);
    const auto announced = [&](const registry::Migration& migration) {
        if (!context.json) {
            announce(location, migration);
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
    report(context, Report{json_of(migration, location.shown, outcome), line});
    return cli::exit_done;
}

}  // namespace

void add_migrate(cli::Command root, Context& context) {
    auto dry_run = std::make_shared<bool>(false);
    root.command("migrate", "Bring a registry that an older release made to this one's version",
                 [&context, dry_run] { return migrate(context, *dry_run); })
        .flag("--dry-run", *dry_run, "Only say what would be done");
}

}  // namespace token_auth::tokenctl
