// What all commands share: the options before them, and how they report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/program.hpp"
#include "registry/registry.hpp"

namespace token_auth::tokenctl {

struct Context {
    std::string registry_url;
    std::string actor;
    bool json = false;

    // Who and when, for the audit trail; base::Error (wrong usage) for an unfit --actor.
    registry::Author author() const;

    registry::Registry open(registry::Access access) const { return {registry_url, access}; }
};

// One thing that a command did: its JSON object, and the line for people.
struct Report {
    base::Json object;
    std::string line;
};

// The object with "outcome" first: added, updated, unchanged or removed.
base::Json with_outcome(std::string_view outcome, const base::Json& object);

// To be called once the change is committed: JSON (an array) to standard output, or the lines to
// standard error.
void report(const Context& context, const std::vector<Report>& reports);
// The same, one object.
void report(const Context& context, const Report& done);

// A list for people, or the objects as a JSON array.
void print_list(const Context& context, const std::string& table, const base::Json& objects);

// `tokenctl org add …` and the like: identifiers, checked before the registry is opened. `noun`
// is what they name. base::Error (wrong usage).
void require_identifiers(std::string_view noun, const std::vector<std::string>& names);

// "acme/ops" taken apart; base::Error (wrong usage).
registry::Group parse_group(const std::string& text);

// Errors for what is not there, or is there already.
base::Error missing(std::string_view noun, std::string_view name, std::string_view command);
base::Error exists(std::string_view noun, std::string_view name);
// For what cannot be removed without --force.
base::Error owns_tokens(std::string_view noun, std::string_view name, std::uint64_t tokens);

// The ids of existing things, or base::Error.
registry::Organization need_organization(registry::Reader& reader, const std::string& id);
registry::Group need_group(registry::Reader& reader, const registry::Group& named);
registry::User need_user(registry::Reader& reader, const std::string& id);
registry::Role need_role(registry::Reader& reader, const std::string& id);

// A positional list of names, at least one.
CLI::Option* names_option(CLI::App& command, const std::string& metavar,
                          std::vector<std::string>& names, const std::string& description);

// Each adds its commands to the program. `context` outlives it.
void add_audit_command(cli::Program& program, Context& context);
void add_issue_commands(cli::Program& program, Context& context);
void add_member_commands(cli::Program& program, Context& context);
void add_organization_commands(cli::Program& program, Context& context);
void add_role_commands(cli::Program& program, Context& context);
void add_token_commands(cli::Program& program, Context& context);
void add_transfer_commands(cli::Program& program, Context& context);
void add_user_commands(cli::Program& program, Context& context);

}  // namespace token_auth::tokenctl
