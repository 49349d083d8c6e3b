// import and export: a registry as JSON Lines.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "registry/importer.hpp"
#include "token_auth/file_remedy.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr std::size_t export_chunk = 64 * 1024;  // bytes per write

std::string text_of(const registry::ImportCounts& counts) {
    std::string text = fmt::format("{} added, {} updated, {} unchanged", counts.added,
                                   counts.updated, counts.unchanged);
    if (counts.left_out != 0) {
        text += fmt::format(
            ", {} left out that the registry has deleted or removed since; --replace brings such "
            "back",
            counts.left_out);
    }
    return text;
}

int import_file(const Context& context, const std::string& file, bool replace) {
    const bool standard = file == "-";
    const std::string shown = standard ? "standard input" : base::redacted_path(file);
    std::ifstream opened;
    if (!standard) {
        opened.open(file, std::ios::binary);
        if (!opened) {
            const int error = errno;
            throw base::Error(
                fmt::format("cannot read {}: {}; {}", shown, std::strerror(error),
                            file_remedy(error, "check the path and its permissions")));
        }
    }
    auto registry = context.open(registry::Access::write);
    std::istream& input = standard ? std::cin : opened;
    const auto mode = replace ? registry::ImportMode::replace : registry::ImportMode::merge;
    const auto counts = registry::import_lines(registry, context.author(), input, shown, mode);
    if (counts.powerless != 0) {
        cli::warn(fmt::format(
            "{} that {} imported {} neither a role nor scopes: let in only where nginx asks for "
            "none",
            base::counted(counts.powerless, "token"), counts.powerless == 1 ? "was" : "were",
            counts.powerless == 1 ? "has" : "have"));
    }
    return finish(context, Report{json_of(counts), text_of(counts)});
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

void add_import_export(cli::Command root, Context& context) {
    struct Options {
        std::string file;
        bool replace = false;
    };
    auto options = std::make_shared<Options>();
    cli::Command import = root.command(
        "import",
        "Import a JSON Lines file, all of it or nothing; fields left out stay as they are",
        [&context, options] { return import_file(context, options->file, options->replace); });
    import.positional("FILE", options->file, "The file; - for standard input").required();
    import.flag("--replace", options->replace,
                "Give fields that a line leaves out their defaults, which can undo revocations, "
                "and bring deleted tokens back");
    root.command("export", "Write the whole registry to standard output as JSON Lines",
                 [&context] { return export_all(context); });
}

}  // namespace token_auth::tokenctl
