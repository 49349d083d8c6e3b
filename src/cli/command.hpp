// The options of a command. CLI11 stands behind it, whose headers only program.cpp includes: they
// cost each file seconds.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace token_auth::cli {

class Parser;

// An option that was added; each setter returns it for the next one.
class Option {
  public:
    Option& required();
    // Each value is refused that is empty or blank, unless this is said.
    Option& may_be_empty();
    // The value in the environment that holds if the command line has none.
    Option& env(const char* variable);
    // Names the variable's present value in the help text, as the default.
    Option& show_default();
    // The value may be left out: `value` holds if what follows the option is none that `accepts`
    // takes.
    Option& value_optional(std::string value, bool (*accepts)(std::string_view));
    Option& excludes(const Option& other);
    Option& hidden();

    // Whether the command line, not the environment, has it. To be asked once the command runs.
    bool given() const;

  private:
    friend class Command;
    Option(Parser& parser, CLI::Option& option, std::string* value)
        : parser_(&parser), option_(&option), value_(value) {}

    Parser* parser_;
    CLI::Option* option_;
    std::string* value_;  // null for one of several values
};

// A command, or a group of commands. The variables behind the options outlive the program.
class Command {
  public:
    // `metavar` is what the help text calls the value.
    Option option(const char* name, const char* metavar, std::string& value,
                  const std::string& help);
    // May be given more than once.
    Option list(const char* name, const char* metavar, std::vector<std::string>& values,
                const std::string& help);
    Option flag(const char* name, bool& value, const std::string& help);
    // An argument, and the arguments that are left.
    Option positional(const char* metavar, std::string& value, const std::string& help);
    Option positionals(const char* metavar, std::vector<std::string>& values,
                       const std::string& help);

    // A command below this one, which runs `body`: it returns the exit status or throws.
    Command command(const char* name, const char* help, std::function<int()> body);
    // A command that only holds others.
    Command group(const char* name, const char* help);

  private:
    friend class Parser;
    Command(Parser& parser, CLI::App& app) : parser_(&parser), app_(&app) {}

    Parser* parser_;
    CLI::App* app_;
};

}  // namespace token_auth::cli
