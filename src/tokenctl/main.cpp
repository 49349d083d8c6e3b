#include "cli/program.hpp"
#include "tokenctl/context.hpp"

namespace {

// An empty value is most often a shell variable that is not set: no address, scope or key at all
// would let in more than was meant.
void refuse_empty(CLI::App& app) {
    for (CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_max() > 0 && option->nonpositional() &&
            option->get_name() != "--description" && option->get_name() != "--email" &&
            option->get_name() != "--name" && option->get_name() != "--registry") {
            option->check([](const std::string& value) {
                return value.empty() ? std::string("must not be empty") : std::string();
            });
        }
    }
    for (CLI::App* command : app.get_subcommands({})) {
        refuse_empty(*command);
    }
}

}  // namespace

int main(int argc, char** argv) {
    using namespace token_auth;
    tokenctl::Context context;
    cli::Program program("tokenctl", "Administers a token-auth registry: who has which token.");
    CLI::App& app = program.app();
    cli::add_registry_option(app, context.registry_url);
    app.add_option("--actor", context.actor,
                   "Who does this, for the audit trail (default: SUDO_USER, or your login name)")
        ->type_name("NAME");
    app.add_flag("--json", context.json, "Answer in JSON on standard output");

    tokenctl::add_transfer_commands(program, context);
    tokenctl::add_organization_commands(program, context);
    tokenctl::add_user_commands(program, context);
    tokenctl::add_member_commands(program, context);
    tokenctl::add_role_commands(program, context);
    tokenctl::add_issue_commands(program, context);
    tokenctl::add_token_commands(program, context);
    tokenctl::add_audit_command(program, context);
    refuse_empty(app);
    return program.run(argc, argv);
}
