#include "tokenctl/context.hpp"

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
    return program.run(argc, argv);
}
