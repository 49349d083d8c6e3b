#include "cli/program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <new>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "cli/output.hpp"

namespace token_auth::cli {

Program::Program(std::string name, const std::string& description)
    : name_(std::move(name)), app_(description, name_) {
    app_.set_version_flag("--version", name_ + " " + TOKEN_AUTH_VERSION, "Print the version");
    app_.fallthrough();
    app_.require_subcommand(1);
}

CLI::App& Program::command(CLI::App& parent, const std::string& name,
                           const std::string& description, std::function<int()> body) {
    CLI::App* added = parent.add_subcommand(name, description);
    added->fallthrough();
    added->callback([this, run = std::move(body)] { chosen_ = run; });
    return *added;
}

CLI::App& Program::group(const std::string& name, const std::string& description) {
    CLI::App* added = app_.add_subcommand(name, description);
    added->fallthrough();
    added->require_subcommand(1);
    return *added;
}

// The command that the arguments named, as far as they did.
std::string Program::path() const {
    std::string path = name_;
    for (const CLI::App* at = &app_; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        path += " " + at->get_name();
    }
    return path;
}

// What is wrong with the arguments. An unknown one tells more than what is missing because of it.
std::string Program::complaint(const CLI::ParseError& error) const {
    const auto unknown = app_.remaining(true);
    if (!unknown.empty()) {
        const std::string& first = unknown.front();
        const bool option = first.starts_with("-");
        return fmt::format("{} {} is not known here", option ? "option" : "argument",
                           base::quoted(option ? first.substr(0, first.find('=')) : first));
    }
    return base::redacted(error.what());
}

int Program::dispatch(int argc, char** argv) {
    try {
        app_.parse(argc, argv);
    } catch (const CLI::Success& success) {
        // --help and --version: standard output
        return app_.exit(success);
    } catch (const CLI::ParseError& error) {
        throw base::Error(fmt::format("{}; see `{} --help`", complaint(error), path()),
                          base::ErrorKind::invalid_argument);
    }
    return chosen_ ? chosen_() : exit_done;
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
        status = dispatch(argc, argv);
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

void add_registry_option(CLI::App& app, std::string& url) {
    url = default_registry;
    app.add_option("--registry", url, "The registry: sqlite:<path> or postgresql://...")
        ->envname("TOKEN_AUTH_REGISTRY")
        ->type_name("URL")
        ->capture_default_str();
}

}  // namespace token_auth::cli
