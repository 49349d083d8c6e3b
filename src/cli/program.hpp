// A command-line program with subcommands: parsing, and the way from exceptions to exit statuses.
#pragma once

#include <functional>
#include <string>

#include <CLI/App.hpp>

#include "cli/exit.hpp"

namespace token_auth::cli {

// Options may stand before or after the subcommand. Every App made by command() has --help.
class Program {
  public:
    Program(std::string name, const std::string& description);

    CLI::App& app() { return app_; }

    // A command that runs `body`, which returns the exit status or throws. Options are added to
    // the App returned, which `this` owns.
    CLI::App& command(CLI::App& parent, const std::string& name, const std::string& description,
                      std::function<int()> body);

    // A command that only holds others.
    CLI::App& group(const std::string& name, const std::string& description);

    // Parses, runs the command and returns the exit status. Every error becomes one line on
    // standard error; what the command line held is shown only where it cannot be a token.
    int run(int argc, char** argv) noexcept;

  private:
    int dispatch(int argc, char** argv);
    std::string path() const;
    std::string complaint(const CLI::ParseError& error) const;

    std::string name_;
    CLI::App app_;
    std::function<int()> chosen_;
};

// --registry, or TOKEN_AUTH_REGISTRY; `url` holds the default.
inline constexpr const char* default_registry = "sqlite:/var/lib/token-auth/registry.db";
void add_registry_option(CLI::App& app, std::string& url);

}  // namespace token_auth::cli
