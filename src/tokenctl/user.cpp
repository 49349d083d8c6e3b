// user: people, and the technical users that tokens act for.
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
    bool technical = false;
    bool all = false;
};

int add(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            if (writer.user(name)) {
                throw exists("user", name);
            }
            writer.put(registry::User{name, false, false, 0});
            reports.push_back(
                {json_of(*writer.user(name), "added"), fmt::format("added user {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int disable(const Context& context, const Options& options, bool disabled) {
    require_identifiers("user", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            auto user = need_user(writer, name);
            const bool changes = user.disabled != disabled;
            user.disabled = disabled;
            writer.put(user, disabled ? "disable" : "enable");
            const char* state = disabled ? "disabled" : "enabled";
            reports.push_back({json_of(user, changes ? "updated" : "unchanged"),
                               fmt::format("user {} is {}{}{}", name, changes ? "now " : "", state,
                                           changes ? "" : " already")});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int remove(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            const auto user = need_user(writer, name);
            registry::TokenFilter filter;
            filter.user = name;
            if (!options.force) {
                require_no_tokens(writer, filter, "user", name);
            }
            writer.remove(user);
            reports.push_back({json_of(user, "removed"), fmt::format("removed user {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "STATUS", "SORT", "CREATED"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.users([&](const registry::User& each) {
            if (!options.all && each.technical != options.technical) {
                return;
            }
            objects.push_back(json_of(each));
            table.row({each.id, each.disabled ? "disabled" : "active",
                       each.technical ? "technical" : "person", base::format_time(each.created)});
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_user(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command user = root.group("user", "Users");
    const auto names = [options](cli::Command command) {
        command.positionals("USER", options->names, "The user's identifier").required();
    };
    names(user.command("add", "Add users", [&context, options] { return add(context, *options); }));

    cli::Command lister = user.command("list", "List people",
                                       [&context, options] { return list(context, *options); });
    lister.flag("--technical", options->technical, "List technical users instead");
    lister.flag("--all", options->all, "List people and technical users");

    names(user.command("disable", "Stop all tokens of users from being let in; enable undoes it",
                       [&context, options] { return disable(context, *options, true); }));
    names(user.command("enable", "Undo disable",
                       [&context, options] { return disable(context, *options, false); }));

    cli::Command remover = user.command("remove", "Remove users with all their tokens",
                                        [&context, options] { return remove(context, *options); });
    names(remover);
    remover.flag("--force", options->force,
                 "Delete the user's tokens as well; this cannot be undone");
}

}  // namespace token_auth::tokenctl
