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
    std::string name;
    bool force = false;
    bool technical = false;
    bool all = false;
};

// The options of a person's details. Those that are not given leave a user as it is.
class Details {
  public:
    void add_to(cli::Command command) {
        name_option_ =
            command.option("--name", "TEXT", display_name_, "The person's name, as pages show it");
        email_option_ = command.option("--email", "ADDRESS", email_, "The person's e-mail address");
        sso_option_ = command.option("--sso", "NAME", sso_name_,
                                     "What single sign-on calls the person, if not by the "
                                     "identifier");
        name_option_->may_be_empty();
        email_option_->may_be_empty();
        sso_option_->may_be_empty();
    }

    bool given() const {
        return name_option_->given() || email_option_->given() || sso_option_->given();
    }

    void apply(registry::User& user) const {
        if (name_option_->given()) {
            user.display_name = display_name_;
        }
        if (email_option_->given()) {
            user.email = email_;
        }
        if (sso_option_->given()) {
            user.sso_name = sso_name_;
        }
    }

  private:
    std::string display_name_;
    std::string email_;
    std::string sso_name_;
    std::optional<cli::Option> name_option_;
    std::optional<cli::Option> email_option_;
    std::optional<cli::Option> sso_option_;
};

int add(const Context& context, const Options& options, const Details& details) {
    require_identifiers("user", options.names);
    if (options.names.size() > 1 && details.given()) {
        throw base::Error("--name, --email and --sso are one person's: name one user",
                          base::ErrorKind::invalid_argument);
    }
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            if (writer.user(name)) {
                throw exists("user", name);
            }
            registry::User user;
            user.id = name;
            details.apply(user);
            writer.put(user);
            reports.push_back(
                {json_of(*writer.user(name), "added"), fmt::format("added user {}", name)});
        }
    });
    return finish(context, reports);
}

int set(const Context& context, const Options& options, const Details& details) {
    require_identifiers("user", {options.name});
    if (!details.given()) {
        throw base::Error("name what to set: --name TEXT, --email ADDRESS or --sso NAME",
                          base::ErrorKind::invalid_argument);
    }
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        auto user = need_user(writer, options.name);
        details.apply(user);
        const bool changes = writer.put(user) != registry::Outcome::unchanged;
        done = {json_of(user, changes ? "updated" : "unchanged"),
                fmt::format("user {} is {}", user.id, changes ? "changed" : "so already")};
    });
    return finish(context, done);
}

int disable(const Context& context, const Options& options, bool disabled) {
    require_no_whole_tokens(options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            const auto outcome = writer.set_disabled(name, disabled);
            if (!outcome) {
                throw no_user(name);
            }
            const bool changes = *outcome != registry::Outcome::unchanged;
            const char* state = disabled ? "disabled" : "enabled";
            reports.push_back({json_of(need_user(writer, name), name_of(*outcome)),
                               fmt::format("user {} is {}{}{}", name, changes ? "now " : "", state,
                                           changes ? "" : " already")});
        }
    });
    return finish(context, reports);
}

int remove(const Context& context, const Options& options) {
    require_identifiers("user", options.names);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& name : options.names) {
            const auto user = need_user(writer, name);
            registry::TokenFilter filter;
            filter.user = name;
            const std::string tokens =
                require_no_tokens(writer, filter, "user", name, options.force);
            writer.remove(user);
            reports.push_back(
                {json_of(user, "removed"), fmt::format("removed user {}{}", name, tokens)});
        }
    });
    return finish(context, reports);
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "STATUS", "SORT", "CREATED", "E-MAIL", "NAME", "SSO NAME"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.users([&](const registry::User& each) {
            if (!options.all && each.technical != options.technical) {
                return;
            }
            objects.push_back(json_of(each));
            table.row({each.id, each.disabled ? "disabled" : "active",
                       each.technical ? "technical" : "person", base::format_time(each.created),
                       each.email, each.display_name, each.sso_name});
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
    const auto added = std::make_shared<Details>();
    cli::Command adder = user.command(
        "add", "Add users", [&context, options, added] { return add(context, *options, *added); });
    names(adder);
    added->add_to(adder);

    const auto details = std::make_shared<Details>();
    cli::Command setter = user.command(
        "set",
        "Set a person's name, e-mail address and name of single sign-on; an empty value "
        "removes it",
        [&context, options, details] { return set(context, *options, *details); });
    setter.positional("USER", options->name, "The user's identifier").required();
    details->add_to(setter);

    cli::Command lister = user.command("list", "List people",
                                       [&context, options] { return list(context, *options); });
    lister.flag("--technical", options->technical, "List technical users instead");
    lister.flag("--all", options->all, "List people and technical users");

    names(user.command("disable", "Stop all tokens of users from being let in; enable undoes it",
                       [&context, options] { return disable(context, *options, true); }));
    names(user.command("enable", "Undo disable",
                       [&context, options] { return disable(context, *options, false); }));

    add_user_password(user, context);

    cli::Command remover = user.command("remove", "Remove users with all their tokens",
                                        [&context, options] { return remove(context, *options); });
    names(remover);
    remover.flag("--force", options->force,
                 "Delete the user's tokens as well; this cannot be undone");
}

}  // namespace token_auth::tokenctl
