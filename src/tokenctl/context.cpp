#include "tokenctl/context.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "tokenctl/owner.hpp"
#include "tokenctl/wait.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr std::int64_t wait_max = 86400;     // hosts report at each commit meanwhile
constexpr std::int64_t longest_change = 60;  // seconds that it may take before the wait begins

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

std::string login_name() {
    if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') {
        return sudo;
    }
    if (const passwd* entry = ::getpwuid(::geteuid()); entry != nullptr) {
        return entry->pw_name;
    }
    return fmt::format("uid-{}", ::geteuid());
}

registry::Author Context::author() const {
    const std::string name = actor.empty() ? login : actor;
    if (!registry::is_display_text(name, registry::actor_max) || registry::holds_token(name)) {
        throw base::Error(fmt::format("--actor must be 1 to {} bytes of {}, and must not hold "
                                      "a token; name the person or the program",
                                      registry::actor_max, registry::display_text_rule),
                          base::ErrorKind::invalid_argument);
    }
    return {name, base::now()};
}

void Context::refuse_wait() const {
    if (!wait.empty()) {
        throw base::Error(
            "--wait is for commands that change tokens or what they depend on; leave it out",
            base::ErrorKind::invalid_argument);
    }
}

registry::Registry Context::open(registry::Access access) const {
    become_owner(registry::parse_location(registry_url));
    if (wait.empty()) {
        return {registry_url, access};
    }
    if (access == registry::Access::read) {
        refuse_wait();
    }
    const std::int64_t seconds = cli::duration_option("--wait", wait);
    if (seconds > wait_max) {
        throw base::Error("--wait is at most 24h", base::ErrorKind::invalid_argument);
    }
    registry::Registry registry(registry_url, access);
    registry.announce_wait(seconds + longest_change);
    return registry;
}

int finish(const Context& context, const std::vector<Report>& reports) {
    report(context, reports);
    return wait_for_hosts(context);
}

int finish(const Context& context, const Report& done) {
    report(context, done);
    return wait_for_hosts(context);
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
