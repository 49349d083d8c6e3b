// org: organizations.
#include <fmt/format.h>

#include <memory>

#include "base/time.hpp"
#include "cli/exit.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::vector<std::string> names;
    bool force = false;
};

int add(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            if (writer.organization(name)) {
                throw exists("organization", name);
            }
            writer.put(registry::Organization{name, false, 0});
            reports.push_back({json_of(*writer.organization(name), "added"),
                               fmt::format("added organization {}", name)});
        }
    });
    return finish(context, reports);
}

int suspend(const Context& context, const Options& options, bool suspended) {
    require_no_whole_tokens(options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            const auto outcome = writer.set_suspended(name, suspended);
            if (!outcome) {
                throw no_organization(name);
            }
            const bool changes = *outcome != registry::Outcome::unchanged;
            const char* state = suspended ? "suspended" : "not suspended";
            reports.push_back(
                {json_of(need_organization(writer, name), name_of(*outcome)),
                 fmt::format("organization {} is {}{}", name, changes ? "now " : "", state) +
                     (changes ? "" : " already")});
        }
    });
    return finish(context, reports);
}

int remove(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            const auto organization = need_organization(writer, name);
            registry::TokenFilter filter;
            filter.organization = name;
            const std::string tokens =
                require_no_tokens(writer, filter, "organization", name, options.force);
            writer.remove(organization);
            reports.push_back({json_of(organization, "removed"),
                               fmt::format("removed organization {}{}", name, tokens)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context) {
    cli::Table table({"ORGANIZATION", "STATUS", "CREATED"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.organizations([&](const registry::Organization& each) {
            objects.push_back(json_of(each));
            table.row({each.id, each.suspended ? "suspended" : "active",
                       base::format_time(each.created)});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_org(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command org = root.group("org", "Organizations");
    const auto names = [options](cli::Command command) {
        command.positionals("ORG", options->names, "The organization's identifier").required();
    };
    names(org.command("add", "Add organizations",
                      [&context, options] { return add(context, *options); }));
    org.command("list", "List organizations", [&context] { return list(context); });
    names(org.command("suspend",
                      "Stop all tokens of organizations from being let in; resume undoes it",
                      [&context, options] { return suspend(context, *options, true); }));
    names(org.command("resume", "End a suspension",
                      [&context, options] { return suspend(context, *options, false); }));

    cli::Command remover =
        org.command("remove", "Remove organizations with their groups, memberships and tokens",
                    [&context, options] { return remove(context, *options); });
    names(remover);
    remover.flag("--force", options->force,
                 "Delete the organization's tokens as well; this cannot be undone");
}

}  // namespace token_auth::tokenctl
