#include <fmt/core.h>
#include <limits.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
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
#include "registry/reports.hpp"
#include "registry/source.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "store_writer/error.hpp"
#include "tokensync/account.hpp"
#include "tokensync/check.hpp"
#include "tokensync/compact.hpp"
#include "tokensync/explain.hpp"
#include "tokensync/inspect.hpp"
#include "tokensync/progress.hpp"
#include "tokensync/report.hpp"
#include "tokensync/restart.hpp"
#include "tokensync/status.hpp"
#include "tokensync/supervise.hpp"
#include "tokensync/sync.hpp"
#include "tokensync/watch.hpp"

namespace token_auth::tokensync {
namespace {

// How long `run` waits for another tokensync to be done with the store.
constexpr std::chrono::seconds run_waits{5};
constexpr int run_attempts = 5;  // if the store is replaced under its hands

constexpr std::size_t host_max = 255;
constexpr std::int64_t interval_max = 52 * 7 * 86400;  // more would overflow a steady clock

struct Options {
    std::string registry;
    std::string source;  // a file
    std::optional<cli::Option> registry_option;
    std::optional<cli::Option> source_option;
    store_writer::StoreOptions store;
    std::string heartbeat = "5s";
    std::string log_format;
    std::string host;
    std::string usage_db;
    std::string report_to;
    std::string usage;
    std::string usage_interval = "10s";
    std::string metrics;
    std::string max_age;
    bool full = false;
    bool rebuild = false;
    char** arguments = nullptr;  // of main()
    bool json = false;
    Question question;
    std::vector<std::string> strays;

    bool has_source() const { return source_option->given(); }
};

std::unique_ptr<registry::Source> open_source(const Options& options) {
    if (!options.has_source()) {
        return registry::open_registry(options.registry);
    }
    if (options.registry_option->given()) {
        throw base::Error("--registry and --source are both given; a store has one source",
                          base::ErrorKind::invalid_argument);
    }
    return std::make_unique<registry::FileSource>(options.source);
}

void require_no_source(const Options& options, const char* command) {
    if (options.has_source()) {
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

// Whether all went through.
bool warn_of(const Outcome& outcome, const store_writer::StoreWriter& writer,
             const registry::Source& source) {
    for (const std::string& line : left_out_lines(outcome)) {
        cli::warn(line);
    }
    const std::uint64_t held = writer.meta()->contents.counts.held_back;
    if (held != 0) {
        cli::warn(held_back_line(held, writer.path(), source.title()));
    }
    return held == 0;
}

int run(Options& options) {
    const std::unique_ptr<registry::Source> source = open_source(options);
    options.store.lock_wait = run_waits;
    options.store.rebuild = options.rebuild;
    options.store.read_through = true;
    // Before the store is touched: a wrong registry must leave nothing behind.
    source->identity();
    become_owner(options.store);
    Progress progress(!options.json);
    SyncOptions sync;
    sync.force = options.store.force;
    sync.full = options.full;
    sync.rebuild = options.rebuild || faults_before() > 0;
    sync.commit_unchanged = true;
    sync.review = true;
    for (int attempt = 1;; ++attempt) {
        auto writer = std::make_unique<store_writer::StoreWriter>(options.store, inspect);
        try {
            const Outcome outcome = synchronize(*source, writer, sync, progress);
            report(outcome, *writer->meta(), options.json);
            return warn_of(outcome, *writer, *source) ? cli::exit_done : cli::exit_refused;
        } catch (const store_writer::StoreReplaced&) {
            // "tokensync compact", which needs no lock of ours, or somebody with a backup.
            if (attempt == run_attempts) {
                throw;
            }
        }
    }
}

std::string host_name(const Options& options) {
    std::string name = options.host;
    if (name.empty()) {
        std::array<char, HOST_NAME_MAX + 1> buffer{};
        gethostname(buffer.data(), buffer.size() - 1);
        name = buffer.data();
    }
    if (!registry::is_display_text(name, host_max) || registry::holds_token(name)) {
        throw base::Error(fmt::format("--host must be 1 to {} bytes of {}, and must not hold a "
                                      "token; name this host",
                                      host_max, registry::display_text_rule),
                          base::ErrorKind::invalid_argument);
    }
    return name;
}

// Beside the store, so in a directory of tokensync's own.
std::string default_usage_db(const Options& options) {
    return (std::filesystem::path(options.store.path + "/").parent_path().parent_path() /
            "usage.db")
        .string();
}

// A file's hosts have no registry to report to, unless they are told of one.
std::optional<registry::Location> reports_to(const Options& options) {
    if (options.report_to.empty() && options.has_source()) {
        return std::nullopt;
    }
    const std::string& url = options.report_to.empty() ? options.registry : options.report_to;
    return registry::reports_location(registry::parse_location(url), options.usage_db.empty()
                                                                         ? default_usage_db(options)
                                                                         : options.usage_db);
}

std::optional<UsageOptions> usage_of(const Options& options) {
    if (options.usage.empty()) {
        return std::nullopt;
    }
    UsageOptions usage;
    usage.page = parse_usage_address(options.usage);
    usage.interval =
        std::chrono::seconds(cli::duration_option("--usage-interval", options.usage_interval));
    if (usage.interval.count() == 0 || usage.interval.count() > interval_max) {
        throw base::Error("--usage-interval is at least 1s and at most 52w",
                          base::ErrorKind::invalid_argument);
    }
    const auto reports = reports_to(options);
    if (!reports) {
        throw base::Error(
            "--usage has no registry to tell of it with --source; name one by --report-to",
            base::ErrorKind::invalid_argument);
    }
    usage.reports = *reports;
    usage.registry =
        registry::parse_location(options.report_to.empty() ? options.registry : options.report_to);
    usage.host = host_name(options);
    return usage;
}

int watch_command(Options& options) {
    const std::int64_t heartbeat =
        options.heartbeat == "0" ? 0 : cli::duration_option("--heartbeat", options.heartbeat);
    if (heartbeat > interval_max) {
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
    const WatchOptions how{std::chrono::seconds(heartbeat),
                           format,
                           host_name(options),
                           reports_to(options),
                           usage_of(options),
                           options.metrics};
    return watch(*source, options.store, how) ? cli::exit_done : exit_registry_lost;
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
    std::optional<std::chrono::seconds> max_age;
    if (!options.max_age.empty()) {
        max_age = std::chrono::seconds(cli::duration_option("--max-age", options.max_age));
    }
    return status(options.store.path, options.json, max_age) ? cli::exit_done : cli::exit_differs;
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
    explain(options.question, [&options] { return open_source(options); });
    return cli::exit_done;
}

void add_source_options(cli::Command root, Options& options) {
    options.registry_option = cli::add_registry_option(root, options.registry);
    options.source_option = root.option(
        "--source", "FILE", options.source,
        "Read this JSON Lines file, in the form of tokenctl export, instead of a registry");
    options.source_option->may_be_empty();  // the source has a better message
}

void add_group_option(cli::Command command, Options& options) {
    command.option("--group", "NAME", options.store.group,
                   "The group that may read the store: nginx's, by its name or number, such as "
                   "www-data (default: the directory's)");
}

void add_writing_options(cli::Command command, Options& options) {
    add_group_option(command, options);
    command.flag(
        "--force", options.store.force,
        "Take over a store of another registry, and remove what is held back, or would be");
}

void add_run(cli::Command root, Options& options) {
    cli::Command command = root.command("run", "Bring the store up to date once", [&options] {
        return supervise(options.store, {options.arguments, false, {}},
                         [&options] { return run(options); });
    });
    add_writing_options(command, options);
    command.flag("--full", options.full, "Read everything, not only what changed");
    command.flag("--rebuild", options.rebuild,
                 "Make the store anew, with a higher generation than any before");
}

void add_watch(cli::Command root, Options& options) {
    cli::Command command =
        root.command("watch", "Stay connected and keep the store up to date", [&options] {
            const Supervision how{options.arguments, true,
                                  [&options] { open_source(options)->identity(); }};
            return supervise(options.store, how, [&options] { return watch_command(options); });
        });
    add_writing_options(command, options);
    command
        .option("--heartbeat", "TIME", options.heartbeat,
                "How often to note in the store that it is up to date (0: never)")
        .show_default();
    command.option("--host", "NAME", options.host,
                   "The name under which `tokenctl hosts` lists this host (default: the host's)");
    command
        .option("--usage-db", "FILE", options.usage_db,
                "Where it reports to, with an SQLite registry (default: usage.db beside the store)")
        .env("TOKEN_AUTH_USAGE_DB");
    command.option("--report-to", "URL", options.report_to,
                   "The PostgreSQL server to report to, if the registry is a replica");
    command.option("--usage", "PAGE", options.usage,
                   "Tell when tokens were used last, as nginx does there (token_auth_usage): "
                   "unix:/path/of/the/socket:/path");
    command.option("--usage-interval", "TIME", options.usage_interval, "How often to ask nginx")
        .show_default();
    command.option("--metrics", "FILE", options.metrics,
                   "Keep metrics in this file, for node_exporter's textfile collector");
    command.option("--log-format", "FORMAT", options.log_format,
                   "The log on standard error: text or json (default: text, json with --json)");
}

void add_explain(cli::Command root, Options& options) {
    cli::Command command =
        root.command("explain",
                     "Read a token or an Authorization field from standard input, decide as the "
                     "module would, and say why",
                     [&options] { return explain_command(options); });
    Question& question = options.question;
    command.option("--org", "ORG", question.organization, "The organization the request names")
        .may_be_empty();
    command
        .option("--org-mode", "MODE", question.organization_mode,
                "How token_auth_org is set: required, optional or off")
        .show_default();
    command.list("--kind", "KIND", question.kinds,
                 "Let in tokens of this kind; repeat it for more (default: all)");
    command
        .list("--group", "GROUP", question.groups,
              "Require this group, or another that is given: GROUP or ORG/GROUP")
        .may_be_empty();
    command.list("--role", "ROLE", question.roles, "Require this role, or another that is given")
        .may_be_empty();
    command
        .list("--scope", "SCOPE", question.scopes,
              "Require this scope, and every other that is given")
        .may_be_empty();
    command
        .list("--scope-any", "SCOPE", question.scopes_any,
              "Require this scope, or another given by --scope-any")
        .may_be_empty();
    command.option("--address", "IP", question.address, "The client's address");
    command.option("--at", "TIME", question.at,
                   "When the request is made: 2027-01-31 (00:00:00 UTC) or RFC 3339 (default: "
                   "now)");
    command.option("--max-age", "TIME", question.max_age,
                   "How old the last completed sync may be (default: any age)");
    command.list("--key", "FILE", question.key_files,
                 "A key file for keyed digests; repeat it for more");
    // to refuse a token without showing it
    command.positionals("stray", options.strays, "").hidden();
}

int tokensync_main(int argc, char** argv) {
    Options options;
    options.arguments = argv;
    cli::Program program("tokensync",
                         "Keeps the token store of nginx's token-auth module up to date");
    cli::Command root = program.root();
    add_source_options(root, options);
    options.store.path = "/var/lib/tokensync/db";
    root.option("--db", "DIR", options.store.path, "The store: a directory")
        .env("TOKEN_AUTH_DB")
        .show_default();
    root.flag("--json", options.json, "Answer in JSON");

    add_run(root, options);
    add_watch(root, options);
    add_group_option(
        root.command("compact", "Write the store anew without unused space; may be run at any time",
                     [&options] { return compact_command(options); }),
        options);
    root.command(
            "status",
            "Generation, age, counts and size; exit status 4 if the store is too old, rows are "
            "left out, or removals are held back",
            [&options] { return status_command(options); })
        .option("--max-age", "TIME", options.max_age,
                "How old the last completed sync may be (default: any age)");
    root.command("check",
                 "Compare store and registry (or file); exit status 4 and a list if they differ",
                 [&options] { return check_command(options); });
    add_explain(root, options);
    return program.run(argc, argv);
}

}  // namespace
}  // namespace token_auth::tokensync

int main(int argc, char** argv) {
    return token_auth::tokensync::tokensync_main(argc, argv);
}
