// group: groups within organizations.
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
    std::string organization;
    bool force = false;
};

std::vector<registry::Group> groups_of(const Options& options) {
    std::vector<registry::Group> groups;
    for (const std::string& name : options.names) {
        groups.push_back(parse_group(name));
    }
    return groups;
}

int add(const Context& context, const Options& options) {
    const auto groups = groups_of(options);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (std::size_t i = 0; i < groups.size(); ++i) {
            need_organization(writer, groups[i].organization);
            if (writer.group(groups[i].organization, groups[i].id)) {
                throw exists("group", options.names[i]);
            }
            writer.put(groups[i]);
            reports.push_back({json_of(need_group(writer, groups[i]), "added"),
                               fmt::format("added group {}", options.names[i])});
        }
    });
    return finish(context, reports);
}

int remove(const Context& context, const Options& options) {
    const auto groups = groups_of(options);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (std::size_t i = 0; i < groups.size(); ++i) {
            const auto group = need_group(writer, groups[i]);
            registry::TokenFilter filter;
            filter.organization = group.organization;
            filter.group = group.id;
            const std::string tokens =
                require_no_tokens(writer, filter, "group", options.names[i], options.force);
            writer.remove(group);
            reports.push_back({json_of(group, "removed"),
                               fmt::format("removed group {}{}", options.names[i], tokens)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context, const Options& options) {
    if (!options.organization.empty()) {
        require_identifiers("organization", {options.organization});
    }
    cli::Table table({"GROUP", "CREATED"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        if (!options.organization.empty()) {
            need_organization(reader, options.organization);
        }
        reader.groups(options.organization, [&](const registry::Group& each) {
            objects.push_back(json_of(each));
            table.row({each.organization + "/" + each.id, base::format_time(each.created)});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_group(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command group = root.group("group", "Groups within organizations");
    const auto names = [options](cli::Command command) {
        command.positionals("ORG/GROUP", options->names, "Organization and group").required();
    };
    names(
        group.command("add", "Add groups", [&context, options] { return add(context, *options); }));
    group.command("list", "List groups", [&context, options] { return list(context, *options); })
        .positional("ORG", options->organization, "Only those of this organization");

    cli::Command remover = group.command("remove", "Remove groups with their tokens",
                                         [&context, options] { return remove(context, *options); });
    names(remover);
    remover.flag("--force", options->force,
                 "Delete the group's tokens as well; this cannot be undone");
}

}  // namespace token_auth::tokenctl
