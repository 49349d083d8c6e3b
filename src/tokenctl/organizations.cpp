// org and group.
#include <fmt/format.h>

#include <memory>

#include "base/json.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/program.hpp"
#include "cli/table.hpp"
#include "tokenctl/context.hpp"
#include "tokenctl/view.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::vector<std::string> names;
    std::string organization;
    bool force = false;
};

int add_organizations(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            if (writer.organization(name)) {
                throw exists("organization", name);
            }
            writer.put(registry::Organization{name, false, 0});
            reports.push_back({with_outcome("added", object_of(*writer.organization(name))),
                               fmt::format("added organization {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int suspend(const Context& context, const Options& options, bool suspended) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            auto organization = need_organization(writer, name);
            const bool changes = organization.suspended != suspended;
            organization.suspended = suspended;
            writer.put(organization, suspended ? "suspend" : "resume");
            const char* state = suspended ? "suspended" : "not suspended";
            reports.push_back(
                {with_outcome(changes ? "updated" : "unchanged", object_of(organization)),
                 fmt::format("organization {} is {}{}", name, changes ? "now " : "", state) +
                     (changes ? "" : " already")});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int remove_organizations(const Context& context, const Options& options) {
    require_identifiers("organization", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            const auto organization = need_organization(writer, name);
            registry::TokenFilter filter;
            filter.organization = name;
            const auto tokens = writer.count_tokens(filter);
            if (tokens > 0 && !options.force) {
                throw owns_tokens("organization", name, tokens);
            }
            writer.remove(organization);
            reports.push_back({with_outcome("removed", object_of(organization)),
                               fmt::format("removed organization {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int list_organizations(const Context& context) {
    cli::Table table({"ORGANIZATION", "STATUS", "CREATED"});
    base::Json objects = base::Json::array();
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.organizations([&](const registry::Organization& each) {
            objects.push_back(object_of(each));
            table.row({each.id, each.suspended ? "suspended" : "active",
                       base::format_time(each.created)});
        });
    });
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

int add_groups(const Context& context, const Options& options) {
    std::vector<registry::Group> groups;
    for (const std::string& name : options.names) {
        groups.push_back(parse_group(name));
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (std::size_t i = 0; i < groups.size(); ++i) {
            need_organization(writer, groups[i].organization);
            if (writer.group(groups[i].organization, groups[i].id)) {
                throw exists("group", options.names[i]);
            }
            writer.put(groups[i]);
            reports.push_back({with_outcome("added", object_of(need_group(writer, groups[i]))),
                               fmt::format("added group {}", options.names[i])});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int remove_groups(const Context& context, const Options& options) {
    std::vector<registry::Group> groups;
    for (const std::string& name : options.names) {
        groups.push_back(parse_group(name));
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (std::size_t i = 0; i < groups.size(); ++i) {
            const auto group = need_group(writer, groups[i]);
            registry::TokenFilter filter;
            filter.organization = group.organization;
            filter.group = group.id;
            const auto tokens = writer.count_tokens(filter);
            if (tokens > 0 && !options.force) {
                throw owns_tokens("group", options.names[i], tokens);
            }
            writer.remove(group);
            reports.push_back({with_outcome("removed", object_of(group)),
                               fmt::format("removed group {}", options.names[i])});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int list_groups(const Context& context, const Options& options) {
    if (!options.organization.empty()) {
        require_identifiers("organization", {options.organization});
    }
    cli::Table table({"GROUP", "CREATED"});
    base::Json objects = base::Json::array();
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        if (!options.organization.empty()) {
            need_organization(reader, options.organization);
        }
        reader.groups(options.organization, [&](const registry::Group& each) {
            objects.push_back(object_of(each));
            table.row({each.organization + "/" + each.id, base::format_time(each.created)});
        });
    });
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

constexpr const char* force_help = "Remove its tokens as well, for good";

}  // namespace

void add_organization_commands(cli::Program& program, Context& context) {
    auto options = std::make_shared<Options>();

    CLI::App& org = program.group("org", "Organizations");
    names_option(
        program.command(org, "add", "Add organizations",
                        [&context, options] { return add_organizations(context, *options); }),
        "ORG", options->names, "The organization's identifier");
    program.command(org, "list", "List organizations",
                    [&context] { return list_organizations(context); });
    names_option(program.command(org, "suspend", "Let no token of these organizations in",
                                 [&context, options] { return suspend(context, *options, true); }),
                 "ORG", options->names, "The organization");
    names_option(program.command(org, "resume", "End a suspension",
                                 [&context, options] { return suspend(context, *options, false); }),
                 "ORG", options->names, "The organization");
    CLI::App& remove_org = program.command(
        org, "remove", "Remove organizations with their groups, memberships and tokens",
        [&context, options] { return remove_organizations(context, *options); });
    names_option(remove_org, "ORG", options->names, "The organization");
    remove_org.add_flag("--force", options->force, force_help);

    CLI::App& group = program.group("group", "Groups within organizations");
    names_option(program.command(group, "add", "Add groups",
                                 [&context, options] { return add_groups(context, *options); }),
                 "ORG/GROUP", options->names, "Organization and group");
    program
        .command(group, "list", "List groups",
                 [&context, options] { return list_groups(context, *options); })
        .add_option("ORG", options->organization, "Only those of this organization")
        ->type_name("");
    CLI::App& remove_group =
        program.command(group, "remove", "Remove groups with their tokens",
                        [&context, options] { return remove_groups(context, *options); });
    names_option(remove_group, "ORG/GROUP", options->names, "Organization and group");
    remove_group.add_flag("--force", options->force, force_help);
}

}  // namespace token_auth::tokenctl
