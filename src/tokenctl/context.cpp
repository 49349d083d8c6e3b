#include "tokenctl/context.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr std::size_t actor_max = 255;

std::string default_actor() {
    if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') {
        return sudo;
    }
    if (const passwd* entry = ::getpwuid(::geteuid()); entry != nullptr) {
        return entry->pw_name;
    }
    return fmt::format("uid-{}", ::geteuid());
}

}  // namespace

registry::Author Context::author() const {
    const std::string name = actor.empty() ? default_actor() : actor;
    if (!registry::is_display_text(name, actor_max) || registry::holds_token(name)) {
        throw base::Error(fmt::format("--actor must be 1 to {} bytes of {}, and no token",
                                      actor_max, registry::display_text_rule),
                          base::ErrorKind::invalid_argument);
    }
    return {name, base::now()};
}

base::Json with_outcome(std::string_view outcome, const base::Json& object) {
    base::Json out{{"outcome", std::string(outcome)}};
    out.update(object);
    return out;
}

void report(const Context& context, const std::vector<Report>& reports) {
    base::Json objects = base::Json::array();
    for (const Report& done : reports) {
        if (context.json) {
            objects.push_back(done.object);
        } else {
            cli::note(done.line);
        }
    }
    if (context.json) {
        cli::print_json(objects);
    }
}

void report(const Context& context, const Report& done) {
    if (context.json) {
        cli::print_json(done.object);
    } else {
        cli::note(done.line);
    }
}

void print_list(const Context& context, const std::string& table, const base::Json& objects) {
    if (context.json) {
        cli::print_json(objects);
    } else {
        cli::write_out(table);
    }
}

void require_identifiers(std::string_view noun, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (!is_identifier(name)) {
            throw base::Error(
                fmt::format("{} {} {}", noun, base::quoted(name), registry::identifier_rule),
                base::ErrorKind::invalid_argument);
        }
    }
}

registry::Group parse_group(const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || !is_identifier(text.substr(0, slash)) ||
        !is_identifier(text.substr(slash + 1))) {
        throw base::Error(fmt::format("group {} must be written ORG/GROUP, each of which {}",
                                      base::quoted(text), registry::identifier_rule),
                          base::ErrorKind::invalid_argument);
    }
    return {text.substr(0, slash), text.substr(slash + 1), 0};
}

base::Error missing(std::string_view noun, std::string_view name, std::string_view command) {
    return base::Error(fmt::format("{} {} does not exist; `tokenctl {} list` lists what there is",
                                   noun, base::quoted(name), command));
}

base::Error exists(std::string_view noun, std::string_view name) {
    return base::Error(
        fmt::format("{} {} exists already; nothing was changed", noun, base::quoted(name)));
}

base::Error owns_tokens(std::string_view noun, std::string_view name, std::uint64_t tokens) {
    return base::Error(
        fmt::format("{} {} has {}, which would be deleted for good; say --force to do that", noun,
                    base::quoted(name), base::counted(tokens, "token")));
}

registry::Organization need_organization(registry::Reader& reader, const std::string& id) {
    const auto found = reader.organization(id);
    if (!found) {
        throw missing("organization", id, "org");
    }
    return *found;
}

registry::Group need_group(registry::Reader& reader, const registry::Group& named) {
    const auto found = reader.group(named.organization, named.id);
    if (!found) {
        throw missing("group", named.organization + "/" + named.id, "group");
    }
    return *found;
}

registry::User need_user(registry::Reader& reader, const std::string& id) {
    const auto found = reader.user(id);
    if (!found) {
        throw missing("user", id, "user");
    }
    return *found;
}

registry::Role need_role(registry::Reader& reader, const std::string& id) {
    const auto found = reader.role(id);
    if (!found) {
        throw missing("role", id, "role");
    }
    return *found;
}

CLI::Option* names_option(CLI::App& command, const std::string& metavar,
                          std::vector<std::string>& names, const std::string& description) {
    return command.add_option(metavar, names, description)->required()->type_name("");
}

}  // namespace token_auth::tokenctl
