#include "cli/program.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"

namespace token_auth::cli {
namespace {

constexpr const char* not_empty = "not empty";

// An empty value, or one of spaces, is most often a shell variable that is not set. Taken for "no
// address" or "no scope", it would let in more than was meant.
CLI::Option& refuse_empty(CLI::Option& option) {
    option.check(CLI::Validator(
        [](const std::string& value) {
            return base::is_blank(value) ? std::string("must not be empty or blank")
                                         : std::string();
        },
        "", not_empty));
    return option;
}

// The option that takes one value and got several, or null.
const CLI::Option* repeated(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw &&
            option->get_items_expected_max() == 1 && option->count() > 1) {
            return option;
        }
    }
    for (const CLI::App* command : app.get_subcommands()) {
        if (const CLI::Option* found = repeated(*command)) {
            return found;
        }
    }
    return nullptr;
}

}  // namespace

// Of an option that may have no value behind it.
struct OptionalValue {
    std::string value;
    bool (*accepts)(std::string_view);
};

// What stands behind a Program: CLI11's tree of commands, and what it does not do itself.
class Parser {
  public:
    Parser(const std::string& name, const char* help) : app_(help, name) {
        app_.set_version_flag("--version", name + " " + TOKEN_AUTH_VERSION, "Print the version");
        app_.fallthrough();
        app_.require_subcommand(1);
    }

    Command root() { return {*this, app_}; }

    void run_if_named(CLI::App& app, std::function<int()> body) {
        app.callback([this, run = std::move(body)] { chosen_ = run; });
    }

    // CLI11's own would make no difference between what the command line says and this.
    void take_from_environment(const CLI::Option& option, const char* variable,
                               std::string& value) {
        environment_.push_back({&option, variable, &value});
    }

    void may_lack_value(const std::string& name, OptionalValue optional) {
        optional_values_.emplace(name, std::move(optional));
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(arguments(argc, argv));
        } catch (const CLI::Success& success) {
            // --help and --version: standard output
            return app_.exit(success);
        } catch (const CLI::ParseError& error) {
            throw base::Error(fmt::format("{}; see `{} --help`", complaint(error), path()),
                              base::ErrorKind::invalid_argument);
        }
        for (const Default& each : environment_) {
            const char* value = std::getenv(each.variable);
            if (each.option->count() == 0 && value != nullptr && *value != '\0') {
                *each.value = value;
            }
        }
        return chosen_ ? chosen_() : exit_done;
    }

  private:
    // The command that the arguments named, as far as they did.
    std::string path() const {
        std::string path = app_.get_name();
        for (const CLI::App* at = &app_; !at->get_subcommands().empty();) {
            at = at->get_subcommands().front();
            path += " " + at->get_name();
        }
        return path;
    }

    // In CLI11's order: the last one first. It would take the argument behind "--name=" for the
    // value, so the empty one gets an argument of its own.
    std::vector<std::string> arguments(int argc, char** argv) const {
        std::vector<std::string> out;
        bool options = true;
        for (int i = 1; i < argc; ++i) {
            std::string argument = argv[i];
            options = options && argument != "--";
            const bool no_value =
                options && argument.starts_with("--") && argument.find('=') == argument.size() - 1;
            if (no_value) {
                argument.pop_back();
            }
            const auto optional = optional_values_.find(argument);
            out.push_back(std::move(argument));
            if (no_value) {
                out.emplace_back();
            } else if (options && optional != optional_values_.end() &&
                       (i + 1 == argc || !optional->second.accepts(argv[i + 1]))) {
                out.push_back(optional->second.value);
            }
        }
        std::reverse(out.begin(), out.end());
        return out;
    }

    // What is wrong with the arguments. An unknown one tells more than what is missing because of
    // it.
    std::string complaint(const CLI::ParseError& error) const {
        const auto unknown = app_.remaining(true);
        if (!unknown.empty()) {
            const std::string& first = unknown.front();
            const bool option = first.starts_with("-");
            return fmt::format("{} {} is not known here", option ? "option" : "argument",
                               base::quoted(option ? first.substr(0, first.find('=')) : first));
        }
        if (const CLI::Option* option = repeated(app_)) {
            return fmt::format("{} is given twice; give it once", option->get_name());
        }
        const std::string_view text = error.what();
        return text == "A subcommand is required" ? "name a command" : base::redacted(text);
    }

    struct Default {
        const CLI::Option* option;
        const char* variable;
        std::string* value;
    };

    CLI::App app_;
    std::vector<Default> environment_;
    std::map<std::string, OptionalValue> optional_values_;
    std::function<int()> chosen_;
};

Option& Option::required() {
    option_->required();
    return *this;
}

Option& Option::may_be_empty() {
    option_->get_validator(not_empty)->active(false);
    return *this;
}

Option& Option::env(const char* variable) {
    parser_->take_from_environment(*option_, variable, *value_);
    option_->description(fmt::format("{} (environment: {})", option_->get_description(), variable));
    return *this;
}

Option& Option::show_default() {
    option_->default_str(*value_);
    return *this;
}

Option& Option::value_optional(std::string value, bool (*accepts)(std::string_view)) {
    parser_->may_lack_value(option_->get_name(), {std::move(value), accepts});
    return *this;
}

Option& Option::excludes(const Option& other) {
    option_->excludes(other.option_);
    return *this;
}

Option& Option::hidden() {
    option_->group("");
    return *this;
}

bool Option::given() const {
    return option_->count() > 0;
}

Option Command::option(const char* name, const char* metavar, std::string& value,
                       const std::string& help) {
    CLI::Option& added = refuse_empty(*app_->add_option(name, value, help));
    return {*parser_, *added.type_name(metavar), &value};
}

Option Command::list(const char* name, const char* metavar, std::vector<std::string>& values,
                     const std::string& help) {
    CLI::Option& added = refuse_empty(*app_->add_option(name, values, help));
    // one value for each time that it is given
    added.expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    added.allow_extra_args(false);
    return {*parser_, *added.type_name(metavar), nullptr};
}

Option Command::flag(const char* name, bool& value, const std::string& help) {
    return {*parser_, *app_->add_flag(name, value, help), nullptr};
}

Option Command::positional(const char* metavar, std::string& value, const std::string& help) {
    return {*parser_, *app_->add_option(metavar, value, help)->type_name(""), &value};
}

Option Command::positionals(const char* metavar, std::vector<std::string>& values,
                            const std::string& help) {
    return {*parser_, *app_->add_option(metavar, values, help)->type_name(""), nullptr};
}

Command Command::command(const char* name, const char* help, std::function<int()> body) {
    CLI::App* added = app_->add_subcommand(name, help);
    added->fallthrough();
    parser_->run_if_named(*added, std::move(body));
    return {*parser_, *added};
}

Command Command::group(const char* name, const char* help) {
    CLI::App* added = app_->add_subcommand(name, help);
    added->fallthrough();
    added->require_subcommand(1);
    return {*parser_, *added};
}

Program::Program(std::string name, const char* help)
    : name_(std::move(name)), parser_(std::make_unique<Parser>(name_, help)) {}

Program::~Program() = default;

Command Program::root() {
    return parser_->root();
}

int Program::run(int argc, char** argv) noexcept {
    int status = exit_failed;
    // A closed standard descriptor would be given to the first file opened, such as the store's.
    // Opened for reading only, so that what cannot be printed is still an error.
    for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) {
        if (fd > STDERR_FILENO) {
            ::close(fd);
            break;
        }
    }
    try {
        status = parser_->run(argc, argv);
    } catch (const base::Error& error) {
        note(fmt::format("{}: {}", name_, error.what()));
        status = exit_status(error.kind());
    } catch (const std::bad_alloc&) {
        std::fputs("out of memory\n", stderr);
    } catch (const std::exception& error) {
        note(fmt::format("{}: {}", name_, base::redacted(error.what())));
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        note(fmt::format("{}: cannot write to standard output", name_));
        return status == exit_done ? exit_failed : status;
    }
    return status;
}

Option add_registry_option(Command command, std::string& url) {
    url = default_registry;
    Option option =
        command.option("--registry", "URL", url, "The registry: sqlite:<path> or postgresql://...");
    option.may_be_empty();  // the registry has a better message
    option.env("TOKEN_AUTH_REGISTRY").show_default();
    return option;
}

}  // namespace token_auth::cli
