// role: names for sets of scopes.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit.hpp"
#include "cli/program.hpp"
#include "cli/table.hpp"
#include "registry/validate.hpp"
#include "tokenctl/context.hpp"
#include "tokenctl/view.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string role;
    std::vector<std::string> names;
    std::vector<std::string> scopes;
};

int set(const Context& context, const Options& options) {
    registry::Role role{options.role, {}};
    for (const std::string& words : options.scopes) {
        for (const std::string& scope : registry::split_words(words)) {
            role.scopes.push_back(scope);
        }
    }
    role.scopes = registry::canonical(std::move(role.scopes));
    require_identifiers("role", {role.id});
    if (const auto problem = check(role)) {
        throw base::Error(fmt::format("{} {}", problem->field, problem->text),
                          base::ErrorKind::invalid_argument);
    }
    registry::Outcome outcome{};
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        outcome = writer.put(role, "set");
    });
    const std::string scopes = registry::join_words(role.scopes);
    switch (outcome) {
        case registry::Outcome::added:
            report(context, Report{with_outcome("added", object_of(role)),
                                   fmt::format("added role {}: {}", role.id, scopes)});
            break;
        case registry::Outcome::updated:
            report(context, Report{with_outcome("updated", object_of(role)),
                                   fmt::format("changed role {} to: {}", role.id, scopes)});
            break;
        case registry::Outcome::unchanged:
            report(context, Report{with_outcome("unchanged", object_of(role)),
                                   fmt::format("role {} is so already: {}", role.id, scopes)});
            break;
    }
    return cli::exit_done;
}

int remove(const Context& context, const Options& options) {
    require_identifiers("role", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            const auto role = need_role(writer, name);
            writer.remove(role);
            reports.push_back(
                {with_outcome("removed", object_of(role)), fmt::format("removed role {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int list(const Context& context) {
    cli::Table table({"ROLE", "SCOPES"});
    base::Json objects = base::Json::array();
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.roles([&](const registry::Role& each) {
            objects.push_back(object_of(each));
            table.row({each.id, registry::join_words(each.scopes)});
        });
    });
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

}  // namespace

void add_role_commands(cli::Program& program, Context& context) {
    auto options = std::make_shared<Options>();
    CLI::App& role = program.group("role", "Roles");

    CLI::App& setter = program.command(role, "set", "Make a role, or change its scopes",
                                       [&context, options] { return set(context, *options); });
    setter.add_option("ROLE", options->role, "The role's identifier")->required()->type_name("");
    names_option(setter, "SCOPE", options->scopes,
                 "All the scopes it shall have, such as agents:read or agents:*");

    program.command(role, "list", "List roles", [&context] { return list(context); });
    names_option(program.command(role, "remove", "Remove roles that nothing uses",
                                 [&context, options] { return remove(context, *options); }),
                 "ROLE", options->names, "The role");
}

}  // namespace token_auth::tokenctl
