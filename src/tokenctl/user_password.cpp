// user password: sets the password that a person logs in to the HTTP API with.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "cli/exit.hpp"
#include "cli/secret_line.hpp"
#include "registry/accounts.hpp"
#include "registry/password.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string name;
    bool remove = false;
};

// The hash of what is read.
std::string read_password() {
    const cli::SecretLine password("password", "Password: ");
    if (const char* problem = registry::password_problem(password.text())) {
        throw base::Error(fmt::format("the password {}", problem),
                          base::ErrorKind::invalid_argument);
    }
    if (cli::SecretLine::is_typed()) {
        const cli::SecretLine again("password", "The same again: ");
        if (again.text() != password.text()) {
            throw base::Error("the two passwords differ; nothing is changed",
                              base::ErrorKind::invalid_argument);
        }
    }
    return registry::hash_password(password.text());
}

int set_password(const Context& context, const Options& options) {
    require_identifiers("user", {options.name});
    auto registry = context.open(registry::Access::write);
    const auto author = context.author();
    const std::string hash = options.remove ? std::string() : read_password();
    Report done;
    registry.write(author, [&](registry::Writer& writer) {
        const auto user = need_user(writer, options.name);
        if (user.technical) {
            throw base::Error(fmt::format(
                "user {} is a technical user, which does not log in; name a person", user.id));
        }
        bool changes = true;
        if (options.remove) {
            changes = registry::remove_password(writer, user.id);
        } else {
            registry::put_password(writer, user.id, hash);
        }
        const char* const line = !options.remove ? "user {} has a new password"
                                 : changes       ? "user {} has no password any more"
                                                 : "user {} had no password";
        done = {json_of(user, changes ? "updated" : "unchanged"),
                fmt::format(fmt::runtime(line), user.id)};
    });
    report(context, done);
    return cli::exit_done;
}

}  // namespace

void add_user_password(cli::Command user, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = user.command(
        "password",
        "Set a person's password for the HTTP API, read from standard input; ends their sessions",
        [&context, options] { return set_password(context, *options); });
    command.positional("USER", options->name, "The user's identifier").required();
    command.flag("--remove", options->remove, "Remove it: nobody logs in by a password any more");
}

}  // namespace token_auth::tokenctl
