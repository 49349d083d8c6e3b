// A command-line program with subcommands: parsing, and the way from exceptions to exit statuses.
#pragma once

#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/exit.hpp"

namespace token_auth::cli {

// Options may stand before or after the subcommand. Every command has --help.
class Program {
  public:
    Program(std::string name, const char* help);
    ~Program();

    // The program itself: what is added to it holds for all commands.
    Command root();

    // Parses, runs the command and returns the exit status. Every error becomes one line on
    // standard error; of the command line it shows only what cannot be a token.
    int run(int argc, char** argv) noexcept;

  private:
    std::string name_;
    std::unique_ptr<Parser> parser_;
};

// --registry, or TOKEN_AUTH_REGISTRY; `url` gets the default.
inline constexpr const char* default_registry = "sqlite:/var/lib/token-auth/registry.db";
Option add_registry_option(Command command, std::string& url);

}  // namespace token_auth::cli
