// role: names for sets of scopes.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "cli/exit.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string role;
    std::vector<std::string> names;
    std::vector<std::string> scopes;
    std::string description;
    std::optional<cli::Option> description_option;
};

std::string line_of(const registry::Role& role, registry::Outcome outcome) {
    const std::string scopes = registry::join_words(role.scopes);
    switch (outcome) {
        case registry::Outcome::added:
            return fmt::format("added role {}: {}", role.id, scopes);
        case registry::Outcome::updated:
            return fmt::format("changed role {} to: {}", role.id, scopes);
        case registry::Outcome::unchanged:
            break;
    }
    return fmt::format("role {} has these scopes already: {}", role.id, scopes);
}

int set(const Context& context, const Options& options) {
    registry::Role role{options.role, scopes_of(options.scopes), options.description};
    require_identifiers("role", {role.id});
    if (const auto problem = check(role)) {
        throw base::Error(fmt::format("{} {}", problem->field, problem->text),
                          base::ErrorKind::invalid_argument);
    }
    registry::Outcome outcome{};
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        if (const auto before = writer.role(role.id);
            before && !options.description_option->given()) {
            role.description = before->description;
        }
        outcome = writer.put(role, "set");
    });
    return finish(context, Report{json_of(role, name_of(outcome)), line_of(role, outcome)});
}

int remove(const Context& context, const Options& options) {
    require_identifiers("role", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            const auto role = need_role(writer, name);
            writer.remove(role);
            reports.push_back({json_of(role, "removed"), fmt::format("removed role {}", name)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context) {
    cli::Table table({"ROLE", "SCOPES", "DESCRIPTION"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.roles([&](const registry::Role& each) {
            objects.push_back(json_of(each));
            table.row({each.id, registry::join_words(each.scopes), each.description});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_role(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command role = root.group("role", "Roles");

    cli::Command setter = role.command("set", "Add a role, or change its scopes and description",
                                       [&context, options] { return set(context, *options); });
    setter.positional("ROLE", options->role, "The role's identifier").required();
    setter
        .positionals("SCOPE", options->scopes,
                     "All the scopes it is to have, such as agents:read or agents:*")
        .required();
    options->description_option = setter
                                      .option("--description", "TEXT", options->description,
                                              "What it is for; an empty one takes it off")
                                      .may_be_empty();

    role.command("list", "List roles", [&context] { return list(context); });
    role.command("remove", "Remove roles that nothing uses",
                 [&context, options] { return remove(context, *options); })
        .positionals("ROLE", options->names, "The role")
        .required();
}

}  // namespace token_auth::tokenctl
