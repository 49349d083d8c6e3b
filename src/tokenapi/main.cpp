#include "cli/program.hpp"
#include "tokenapi/routes.hpp"
#include "tokenapi/serve.hpp"

int main(int argc, char** argv) {
    using namespace token_auth;
    tokenapi::Options options;
    cli::Program program("tokenapi",
                         "Serves a token-auth registry over HTTP, for those who may manage it");
    cli::Command root = program.root();
    cli::add_registry_option(root, options.registry);
    root.option("--listen", "ADDRESS", options.listen,
                "The Unix socket to listen on, unix:PATH (default: systemd's socket, else "
                "unix:/run/token-auth/api.sock)");
    tokenapi::LoginOptions& login = options.login;
    root.list("--key", "FILE", login.key_files,
              "A key of keyed digests, as nginx has it; the first one is for new tokens; repeat it "
              "for more");
    root.list(
        "--origin", "URL", login.origins,
        "An origin that pages may change something from; repeat it for more (default: that of "
        "the request's Host)");
    root.option("--sso-header", "NAME", login.sso_header,
                "The field in which nginx names who has signed on, such as X-Remote-User");
    root.option("--sso-secret", "FILE", login.sso_secret_file,
                "A file with the secret that nginx sends in X-Sso-Secret beside that field");
    root.flag("--no-passwords", login.no_passwords, "Nobody logs in by a password");
    root.flag("--auth-token", login.auth_token,
              "Give tokens for user name and password at /api/v1/auth_token");
    root.option("--example-url", "URL", login.example_url,
                "What the console's curl line calls with a new token (default: GET /api/v1/me)");
    root.option("--organization-field", "NAME", login.organization_field,
                "The field that names the organization there, as token_auth_org has it")
        .show_default();
    root.option("--usage-db", "FILE", login.usage_db,
                "Where tokensync reports when tokens were used last, with an SQLite registry")
        .env("TOKEN_AUTH_USAGE_DB")
        .show_default();
    root.command("serve", "Serve until SIGTERM, which lets finish what runs", [&options] {
        tokenapi::serve(options, tokenapi::routes());
        return cli::exit_done;
    });
    root.command("check", "Check the options and the registry, as nginx -t does", [&options] {
        tokenapi::check(options);
        return cli::exit_done;
    });
    return program.run(argc, argv);
}
