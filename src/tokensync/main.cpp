#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "cli/program.hpp"
#include "cli/time_options.hpp"
#include "registry/file/source.hpp"
#include "registry/source.hpp"
#include "tokensync/check.hpp"
#include "tokensync/compact.hpp"
#include "tokensync/explain.hpp"
#include "tokensync/progress.hpp"
#include "tokensync/report.hpp"
#include "tokensync/status.hpp"
#include "tokensync/sync.hpp"
#include "tokensync/watch.hpp"

namespace token_auth::tokensync {
namespace {

// How long `run` waits for another tokensync to be done with the store.
constexpr std::chrono::seconds run_waits{5};
constexpr int run_attempts = 5;  // where the store is replaced under its hands

constexpr std::int64_t heartbeat_max = 52 * 7 * 86400;  // more would overflow a steady clock

struct Options {
    std::string registry;
    std::string source;  // a file
    const CLI::Option* registry_option = nullptr;
    const CLI::Option* source_option = nullptr;
    store_writer::StoreOptions store;
    std::string heartbeat = "5s";
    std::string log_format;
    bool full = false;
    bool json = false;
    Question question;
    std::vector<std::string> strays;
};

std::unique_ptr<registry::Source> open_source(const Options& options) {
    if (options.source_option->count() == 0) {
        return registry::open_registry(options.registry);
    }
    if (options.registry_option->count() > 0) {
        throw base::Error("--registry and --source are both given; a store has one source",
                          base::ErrorKind::invalid_argument);
    }
    return std::make_unique<registry::FileSource>(options.source);
}

void require_no_source(const Options& options, const char* command) {
    if (options.source_option->count() > 0) {
        throw base::Error(
            fmt::format("--source is not for {}, which reads only the store; leave it out",
                        command),
            base::ErrorKind::invalid_argument);
    }
}

void report(const Outcome& outcome, const store_writer::Meta& meta, bool json) {
    if (json) {
        cli::print_json(outcome_fields(outcome, meta));
        return;
    }
    if (!outcome.damage.empty()) {
        cli::warn(damage_line(outcome));
    }
    cli::write_out(outcome_line(outcome, meta) + "\n");
}

int run(Options& options) {
    const std::unique_ptr<registry::Source> source = open_source(options);
    options.store.lock_wait = run_waits;
    // Before the store is touched: a wrong registry must leave nothing behind.
    source->identity();
    Progress progress(!options.json);
    SyncOptions wish;
    wish.force = options.store.force;
    wish.full = options.full;
    wish.commit_unchanged = true;
    for (int attempt = 1;; ++attempt) {
        auto writer = std::make_unique<store_writer::StoreWriter>(options.store);
        try {
            const Outcome outcome = synchronize(*source, writer, wish, progress);
            report(outcome, *writer->meta(), options.json);
            return cli::exit_done;
        } catch (const store_writer::StoreReplaced&) {
            // "tokensync compact", which needs no lock of ours, or somebody with a backup.
            if (attempt == run_attempts) {
                throw;
            }
        }
    }
}

int watch_command(Options& options) {
    const std::int64_t heartbeat =
        options.heartbeat == "0" ? 0 : cli::duration_option("--heartbeat", options.heartbeat);
    if (heartbeat > heartbeat_max) {
        throw base::Error("--heartbeat is at most 52w", base::ErrorKind::invalid_argument);
    }
    const std::unique_ptr<registry::Source> source = open_source(options);
    LogFormat format = options.json ? LogFormat::json : LogFormat::text;
    if (!options.log_format.empty()) {
        if (options.log_format != "text" && options.log_format != "json") {
            throw base::Error(fmt::format("--log-format {} is not known: write text or json",
                                          base::quoted(options.log_format)),
                              base::ErrorKind::invalid_argument);
        }
        format = options.log_format == "json" ? LogFormat::json : LogFormat::text;
    }
    watch(*source, options.store, std::chrono::seconds(heartbeat), format);
    return cli::exit_done;
}

int compact_command(Options& options) {
    require_no_source(options, "compact");
    compact(options.store, options.json);
    return cli::exit_done;
}

int check_command(Options& options) {
    const std::unique_ptr<registry::Source> source = open_source(options);
    return check(*source, options.store.path, options.json) ? cli::exit_done : cli::exit_differs;
}

int status_command(Options& options) {
    require_no_source(options, "status");
    status(options.store.path, options.json);
    return cli::exit_done;
}

int explain_command(Options& options) {
    require_no_source(options, "explain");
    if (!options.strays.empty()) {
        throw base::Error(
            "the token is read from standard input: on the command line, others could see it; "
            "give it as in: tokensync explain < FILE",
            base::ErrorKind::invalid_argument);
    }
    options.question.store = options.store.path;
    options.question.json = options.json;
    explain(options.question);
    return cli::exit_done;
}

void add_source_options(CLI::App& app, Options& options) {
    cli::add_registry_option(app, options.registry);
    CLI::Option* const registry = app.get_option("--registry");
    options.registry_option = registry;
    options.source_option =
        app.add_option_function<std::string>(
               "--source",
               [&options, registry](const std::string& path) {
                   if (registry->get_envname().empty()) {
                       throw base::Error("--source is given twice; a store has one source",
                                         base::ErrorKind::invalid_argument);
                   }
                   options.source = path;
                   // The environment names the registry where nothing else is said.
                   registry->envname("");
               },
               "Read this JSON Lines file, in the form of tokenctl export, in place of a registry")
            ->trigger_on_parse()
            ->type_name("FILE");
}

void add_group_option(CLI::App& command, Options& options) {
    command
        .add_option("--group", options.store.group,
                    "The group that may read the store: nginx's, such as www-data "
                    "(default: the directory's)")
        ->type_name("NAME");
}

void add_writing_options(CLI::App& command, Options& options) {
    add_group_option(command, options);
    command.add_flag("--force", options.store.force,
                     "Take over a store of another registry, and remove more than half of its "
                     "tokens");
}

void add_explain(cli::Program& program, Options& options) {
    CLI::App& command = program.command(
        program.app(), "explain",
        "Decide for a token, or an Authorization field, on standard input as the module would, "
        "and say why",
        [&options] { return explain_command(options); });
    Question& question = options.question;
    const auto repeatable = [&command](const char* name, std::vector<std::string>& into,
                                       const char* help, const char* type) {
        command.add_option(name, into, help)
            ->type_name(type)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    command.add_option("--org", question.organization, "The one the request names")
        ->type_name("ORG");
    command.add_option("--org-mode", question.organization_mode, "required, optional or off")
        ->type_name("MODE")
        ->capture_default_str();
    repeatable("--kind", question.kinds, "A kind of token let in (default: all)", "KIND");
    repeatable("--group", question.groups, "Any of these: GROUP or ORG/GROUP", "GROUP");
    repeatable("--role", question.roles, "Any of these", "ROLE");
    repeatable("--scope", question.scopes, "All of these", "SCOPE");
    repeatable("--scope-any", question.scopes_any, "Any of these", "SCOPE");
    command.add_option("--address", question.address, "The client's address")->type_name("IP");
    command
        .add_option("--at", question.at,
                    "When the request is made: 2027-01-31 (00:00:00 UTC) or RFC 3339 (default: "
                    "now)")
        ->type_name("TIME");
    command.add_option("--max-age", question.max_age, "How old the last completed sync may be")
        ->type_name("TIME");
    repeatable("--key", question.key_files, "A key for keyed digests", "FILE");
    command.add_option("stray", options.strays)->group("");  // to refuse it without showing it
}

int tokensync_main(int argc, char** argv) {
    Options options;
    cli::Program program("tokensync",
                         "Keeps the token store of nginx's token-auth module up to date");
    add_source_options(program.app(), options);
    options.store.path = "/var/lib/token-auth/db";
    program.app()
        .add_option("--db", options.store.path, "The store: a directory")
        ->envname("TOKEN_AUTH_DB")
        ->type_name("DIR")
        ->capture_default_str();
    program.app().add_flag("--json", options.json, "Write JSON");

    CLI::App& once = program.command(program.app(), "run", "Bring the store up to date once",
                                     [&options] { return run(options); });
    add_writing_options(once, options);
    once.add_flag("--full", options.full, "Read everything, not only what changed");

    CLI::App& service =
        program.command(program.app(), "watch", "Stay connected and keep the store up to date",
                        [&options] { return watch_command(options); });
    add_writing_options(service, options);
    service
        .add_option("--heartbeat", options.heartbeat,
                    "How often to note in the store that it is up to date (0: never)")
        ->type_name("TIME")
        ->capture_default_str();
    service
        .add_option("--log-format", options.log_format,
                    "The log on standard error: text or json (default: text, json with --json)")
        ->type_name("FORMAT");

    CLI::App& compacted = program.command(
        program.app(), "compact",
        "Write the store anew without the room that it no longer needs; may be run at any time",
        [&options] { return compact_command(options); });
    add_group_option(compacted, options);

    program.command(program.app(), "status", "Generation, age, counts, size and readers",
                    [&options] { return status_command(options); });
    program.command(program.app(), "check",
                    "Compare store and registry (or file); exit status 4 and a list where they "
                    "differ",
                    [&options] { return check_command(options); });
    add_explain(program, options);
    return program.run(argc, argv);
}

}  // namespace
}  // namespace token_auth::tokensync

int main(int argc, char** argv) {
    return token_auth::tokensync::tokensync_main(argc, argv);
}
