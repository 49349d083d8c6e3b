// user: people, and the technical users that tokens act for.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
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
    std::optional<std::string> display_name;
    std::optional<std::string> email;
    bool force = false;
    bool technical = false;
    bool all = false;
};

void set_details(registry::User& user, const Options& options) {
    user.display_name = options.display_name.value_or(user.display_name);
    user.email = options.email.value_or(user.email);
}

int add(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    if (options.names.size() > 1 && (options.display_name || options.email)) {
        throw base::Error("--name and --email are one person's: name one user",
                          base::ErrorKind::invalid_argument);
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& name : options.names) {
            if (writer.user(name)) {
                throw exists("user", name);
            }
            registry::User user;
            user.id = name;
            set_details(user, options);
            writer.put(user);
            reports.push_back({with_outcome("added", object_of(*writer.user(name))),
                               fmt::format("added user {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int set(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    if (!options.display_name && !options.email) {
        throw base::Error("name what to set: --name TEXT, --email ADDRESS, or both",
                          base::ErrorKind::invalid_argument);
    }
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        auto user = need_user(writer, options.names.front());
        set_details(user, options);
        const bool changes = writer.put(user) != registry::Outcome::unchanged;
        done = {with_outcome(changes ? "updated" : "unchanged", object_of(user)),
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
            reports.push_back({with_outcome(changes ? "updated" : "unchanged", object_of(user)),
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
            const auto tokens = writer.count_tokens(filter);
            if (tokens > 0 && !options.force) {
                throw owns_tokens("user", name, tokens);
            }
            writer.remove(user);
            reports.push_back(
                {with_outcome("removed", object_of(user)), fmt::format("removed user {}", name)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "STATUS", "SORT", "CREATED", "E-MAIL", "NAME"});
    base::Json objects = base::Json::array();
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.users([&](const registry::User& each) {
            if (!options.all && each.technical != options.technical) {
                return;
            }
            objects.push_back(object_of(each));
            table.row({each.id, each.disabled ? "disabled" : "active",
                       each.technical ? "technical" : "person", base::format_time(each.created),
                       each.email, each.display_name});
        });
    });
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

// (CLI11 takes an empty text for none if the option's value is a std::optional.)
void details_options(CLI::App& command, const std::shared_ptr<Options>& options) {
    command
        .add_option_function<std::string>(
            "--name", [options](const std::string& text) { options->display_name = text; },
            "The person's name, as pages show it")
        ->type_name("TEXT");
    command
        .add_option_function<std::string>(
            "--email", [options](const std::string& text) { options->email = text; },
            "The person's e-mail address")
        ->type_name("ADDRESS");
}

}  // namespace

void add_user_commands(cli::Program& program, Context& context) {
    auto options = std::make_shared<Options>();
    CLI::App& user = program.group("user", "Users");
    CLI::App& adder = program.command(user, "add", "Add users",
                                      [&context, options] { return add(context, *options); });
    names_option(adder, "USER", options->names, "The user's identifier");
    details_options(adder, options);

    CLI::App& setter =
        program.command(user, "set", "Set a person's name and address; an empty text takes it away",
                        [&context, options] { return set(context, *options); });
    names_option(setter, "USER", options->names, "The user")->expected(1);
    details_options(setter, options);

    CLI::App& lister = program.command(user, "list", "List people",
                                       [&context, options] { return list(context, *options); });
    lister.add_flag("--technical", options->technical, "List technical users instead");
    lister.add_flag("--all", options->all, "List people and technical users");

    names_option(program.command(user, "disable", "Let no token of these users in",
                                 [&context, options] { return disable(context, *options, true); }),
                 "USER", options->names, "The user");
    names_option(program.command(user, "enable", "Undo disable",
                                 [&context, options] { return disable(context, *options, false); }),
                 "USER", options->names, "The user");

    CLI::App& remover = program.command(user, "remove", "Remove users with all their tokens",
                                        [&context, options] { return remove(context, *options); });
    names_option(remover, "USER", options->names, "The user");
    remover.add_flag("--force", options->force, "Remove the user's tokens as well, for good");
}

}  // namespace token_auth::tokenctl
