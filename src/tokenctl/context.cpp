#include "tokenctl/context.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"

namespace token_auth::tokenctl {
namespace {

std::string default_actor() {
    if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') {
        return sudo;
    }
    if (const passwd* entry = ::getpwuid(::geteuid()); entry != nullptr) {
        return entry->pw_name;
    }
    return fmt::format("uid-{}", ::geteuid());
}

std::string array_of(const std::vector<std::string>& objects) {
    return fmt::format("[{}]\n", fmt::join(objects, ","));
}

// What has been changed stays so.
void print_result(const std::string& text) {
    try {
        cli::write_out(text);
    } catch (const base::Error& error) {
        throw base::Error(fmt::format("{}; the change itself is made", error.what()));
    }
}

}  // namespace

registry::Author Context::author() const {
    const std::string name = actor.empty() ? default_actor() : actor;
    if (!registry::is_display_text(name, registry::actor_max) || registry::holds_token(name)) {
        throw base::Error(fmt::format("--actor must be 1 to {} bytes of {}, and must not hold "
                                      "a token; name the person or the program",
                                      registry::actor_max, registry::display_text_rule),
                          base::ErrorKind::invalid_argument);
    }
    return {name, base::now()};
}

void report(const Context& context, const std::vector<Report>& reports) {
    std::vector<std::string> objects;
    for (const Report& done : reports) {
        if (context.json) {
            objects.push_back(done.json);
        } else {
            cli::note(done.line);
        }
    }
    if (context.json) {
        print_result(array_of(objects));
    }
}

void report(const Context& context, const Report& done) {
    if (context.json) {
        print_result(done.json + "\n");
    } else {
        cli::note(done.line);
    }
}

void print_list(const Context& context, const cli::Table& table,
                const std::vector<std::string>& objects) {
    if (context.json) {
        cli::write_out(array_of(objects));
    } else {
        cli::write_out(table.text());
    }
}

}  // namespace token_auth::tokenctl
