// scope: the catalogue of scopes to choose from. A scope need not be in it.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "cli/exit.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    registry::ScopeEntry entry;
    std::vector<std::string> scopes;
};

std::string line_of(const std::string& scope, registry::Outcome outcome) {
    switch (outcome) {
        case registry::Outcome::added:
            return fmt::format("added scope {} to the catalogue", scope);
        case registry::Outcome::updated:
            return fmt::format("changed what the catalogue says of scope {}", scope);
        case registry::Outcome::unchanged:
            break;
    }
    return fmt::format("the catalogue says that of scope {} already", scope);
}

int set(const Context& context, const registry::ScopeEntry& entry) {
    if (const auto problem = check(entry)) {
        throw base::Error(fmt::format("{} {}", problem->field, problem->text),
                          base::ErrorKind::invalid_argument);
    }
    registry::Outcome outcome{};
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        outcome = writer.put(entry, "set");
    });
    return finish(context, Report{json_of(entry, name_of(outcome)), line_of(entry.scope, outcome)});
}

int remove(const Context& context, const std::vector<std::string>& scopes) {
    require_no_whole_tokens(scopes);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& scope : scopes) {
            const auto entry = writer.scope_entry(scope);
            if (!entry) {
                throw base::Error(fmt::format(
                    "scope {} is not in the catalogue; `tokenctl scope list` lists what is",
                    base::quoted(scope)));
            }
            writer.remove(*entry);
            reports.push_back({json_of(*entry, "removed"),
                               fmt::format("removed scope {} from the catalogue", scope)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context) {
    cli::Table table({"SCOPE", "DESCRIPTION"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.scope_entries([&](const registry::ScopeEntry& each) {
            objects.push_back(json_of(each));
            table.row({each.scope, each.description});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_scope(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command scope = root.group("scope", "The catalogue of scopes to choose from");

    cli::Command setter =
        scope.command("set", "Put a scope into the catalogue, or say something else of it",
                      [&context, options] { return set(context, options->entry); });
    setter.positional("SCOPE", options->entry.scope, "The scope, such as agents:read").required();
    setter.positional("DESCRIPTION", options->entry.description,
                      "What it allows, for people: \"Read agents\"");

    scope.command("list", "List the catalogue", [&context] { return list(context); });
    scope
        .command("remove", "Take scopes out of the catalogue; whoever has them keeps them",
                 [&context, options] { return remove(context, options->scopes); })
        .positionals("SCOPE", options->scopes, "The scope")
        .required();
}

}  // namespace token_auth::tokenctl
