// init: makes a new, empty registry.
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/owner.hpp"

namespace token_auth::tokenctl {
namespace {

int init(const Context& context) {
    context.refuse_wait();
    const auto location = registry::parse_location(context.registry_url);
    become_owner(location);
    const registry::NewRegistry made = registry::create_registry(location);
    if (!made.roles_made) {
        cli::warn(
            "the group roles (token_auth_reader and the like) could not be made, which needs "
            "CREATEROLE: only this registry's owner can use it until an administrator runs the "
            "statements in docs/TOKENCTL.md");
    }
    report(context,
           Report{json_of(made, location.shown), fmt::format("made registry {}", location.shown)});
    return cli::exit_done;
}

}  // namespace

void add_init(cli::Command root, Context& context) {
    root.command("init", "Create an empty registry", [&context] { return init(context); });
}

}  // namespace token_auth::tokenctl
