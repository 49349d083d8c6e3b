#include "base/time.hpp"
#include "cli/program.hpp"
#include "tokenctl/commands.hpp"

int main(int argc, char** argv) {
    using namespace token_auth;
    tokenctl::Context context;
    cli::Program program("tokenctl", "Administers a token-auth registry: who has which token.");
    cli::Command root = program.root();
    cli::add_registry_option(root, context.registry_url);
    root.option("--actor", "NAME", context.actor,
                "Who does this, for the audit trail (default: SUDO_USER, or your login name)");
    root.flag("--json", context.json, "Answer in JSON on standard output");

    root.option("--wait", "TIME", context.wait,
                "Once the change is made, wait until every nginx host has applied it, at most this "
                "long (30s if nothing follows); exit status 4 if not all have")
        .value_optional(
            "30s", [](std::string_view text) { return base::parse_duration(text).has_value(); });
    root.option("--usage-db", "FILE", context.usage_db,
                "Where tokensync reports to, with an SQLite registry")
        .env("TOKEN_AUTH_USAGE_DB")
        .show_default();

    // in the order in which --help lists them
    tokenctl::add_init(root, context);
    tokenctl::add_migrate(root, context);
    tokenctl::add_import_export(root, context);
    tokenctl::add_org(root, context);
    tokenctl::add_group(root, context);
    tokenctl::add_user(root, context);
    tokenctl::add_member(root, context);
    tokenctl::add_role(root, context);
    tokenctl::add_scope(root, context);
    tokenctl::add_create(root, context);
    tokenctl::add_rotate(root, context);
    tokenctl::add_list(root, context);
    tokenctl::add_show(root, context);
    tokenctl::add_revoke_restore(root, context);
    tokenctl::add_delete(root, context);
    tokenctl::add_audit(root, context);
    tokenctl::add_hosts(root, context);
    return program.run(argc, argv);
}
