// user: people, and the technical users that tokens act for.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::vector<std::string> names;
    std::string user;
    std::string display_name;
    std::string email;
    std::optional<cli::Option> set_name;  // of `user set`
    std::optional<cli::Option> set_email;
    bool force = false;
    bool technical = false;
    bool all = false;
};

int add(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    if (options.names.size() > 1 && !(options.display_name + options.email).empty()) {
        throw base::Error("--name and --email are one person's: name one user",
                          base::ErrorKind::invalid_argument);
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            if (writer.user(name)) {
                throw exists("user", name);
            }
            writer.put(registry::User{name, false, false, 0, options.display_name, options.email});
            reports.push_back(
                {json_of(*writer.user(name), "added"), fmt::format("added user {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int set(const Context& context, const Options& options) {
    require_identifiers("user", {options.user});
    if (!options.set_name->given() && !options.set_email->given()) {
        throw base::Error("name what to set: --name TEXT, --email ADDRESS, or both",
                          base::ErrorKind::invalid_argument);
    }
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        auto user = need_user(writer, options.user);
        if (options.set_name->given()) {
            user.display_name = options.display_name;
        }
        if (options.set_email->given()) {
            user.email = options.email;
        }
        const bool changes = writer.put(user) != registry::Outcome::unchanged;
        done = {json_of(user, changes ? "updated" : "unchanged"),
                fmt::format("user {} is {}", user.id, changes ? "changed" : "so already")};
    });
    report(context, done);
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
    cli::Table table({"USER", "STATUS", "SORT", "CREATED", "E-MAIL", "NAME"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.users([&](const registry::User& each) {
            if (!options.all && each.technical != options.technical) {
                return;
            }
            objects.push_back(json_of(each));
            table.row({each.id, each.disabled ? "disabled" : "active",
                       each.technical ? "technical" : "person", base::format_time(each.created),
                       each.email, each.display_name});
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
    const auto name = [options](cli::Command command) {
        return command.option("--name", "TEXT", options->display_name,
                              "The person's name, as pages show it");
    };
    const auto email = [options](cli::Command command) {
        return command.option("--email", "ADDRESS", options->email, "The person's e-mail address");
    };
    cli::Command adder =
        user.command("add", "Add users", [&context, options] { return add(context, *options); });
    names(adder);
    name(adder);
    email(adder);

    cli::Command setter =
        user.command("set", "Set a person's name and address; an empty text takes it away",
                     [&context, options] { return set(context, *options); });
    setter.positional("USER", options->user, "The user's identifier").required();
    options->set_name = name(setter);
    options->set_name->may_be_empty();
    options->set_email = email(setter);
    options->set_email->may_be_empty();

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
