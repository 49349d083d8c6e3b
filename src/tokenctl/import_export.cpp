// init, import, export: a registry as a whole.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/error.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "cli/program.hpp"
#include "registry/importer.hpp"
#include "tokenctl/context.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr std::size_t export_chunk = 64 * 1024;  // bytes per write

int init(const Context& context) {
    const auto location = registry::parse_location(context.registry_url);
    const registry::NewRegistry made = registry::create_registry(location);
    if (!made.roles_made) {
        cli::warn(
            "the roles token_auth_reader and token_auth_writer could not be made: that needs "
            "CREATEROLE; docs/TOKENCTL.md has the statements for an administrator, until then "
            "only this registry's owner can use it");
    }
    const std::string& id = made.id;
    report(context, Report{{{"outcome", "added"}, {"registry", location.shown}, {"id", id}},
                           fmt::format("made registry {}", location.shown)});
    return cli::exit_done;
}

int import_file(const Context& context, const std::string& file) {
    auto registry = context.open(registry::Access::write);
    const bool standard = file == "-";
    std::ifstream opened;
    if (!standard) {
        opened.open(file, std::ios::binary);
        if (!opened) {
            throw base::Error(
                fmt::format("cannot read {}: {}; check the path", file, std::strerror(errno)));
        }
    }
    std::istream& input = standard ? std::cin : opened;
    const auto counts = registry::import_lines(registry, context.author(), input,
                                               standard ? "standard input" : file);
    report(context, Report{{{"added", counts.added},
                            {"updated", counts.updated},
                            {"unchanged", counts.unchanged}},
                           fmt::format("{} added, {} updated, {} unchanged", counts.added,
                                       counts.updated, counts.unchanged)});
    return cli::exit_done;
}

int export_all(const Context& context) {
    auto registry = context.open(registry::Access::read);
    std::string chunk;
    registry::export_lines(registry, [&](const std::string& line) {
        chunk += line;
        if (chunk.size() >= export_chunk) {
            cli::write_out(chunk);
            chunk.clear();
        }
    });
    cli::write_out(chunk);
    return cli::exit_done;
}

}  // namespace

void add_transfer_commands(cli::Program& program, Context& context) {
    CLI::App& app = program.app();
    program.command(app, "init", "Make a new, empty registry",
                    [&context] { return init(context); });

    auto file = std::make_shared<std::string>();
    program
        .command(app, "import", "Take in JSON Lines, all or nothing",
                 [&context, file] { return import_file(context, *file); })
        .add_option("FILE", *file, "The file; - for standard input")
        ->required()
        ->type_name("");

    program.command(app, "export", "Write everything to standard output as JSON Lines",
                    [&context] { return export_all(context); });
}

}  // namespace token_auth::tokenctl
