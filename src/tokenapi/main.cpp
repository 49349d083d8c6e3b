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
