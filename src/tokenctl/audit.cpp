// audit: who changed what, when.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/time_options.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string since;
    std::string token;
    std::string key;
    std::string organization;
    std::string limit = "100";
};

// A time, or a duration back from now.
std::int64_t since_option(const std::string& text) {
    if (const auto back = base::parse_duration(text)) {
        return std::max<std::int64_t>(base::now() - *back, 0);
    }
    return cli::time_or_duration_option("--since", text, 0);
}

std::uint64_t limit_option(const std::string& text) {
    const bool digits =
        !text.empty() && text.size() <= 9 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) {
        throw base::Error(fmt::format("--limit {} is not understood: write a number, 0 for all",
                                      base::quoted(text)),
                          base::ErrorKind::invalid_argument);
    }
    return std::stoull(text);
}

int audit(const Context& context, const Options& options) {
    registry::AuditFilter filter;
    filter.limit = limit_option(options.limit);
    filter.key = options.key;
    filter.organization = options.organization;
    if (!options.since.empty()) {
        filter.since = since_option(options.since);
    }
    if (!options.token.empty()) {
        require_token_ids({options.token});
        filter.entity = "token";
        filter.key = options.token;
    }
    cli::Table table({"SEQ", "AT", "SESSION USER", "ACTOR", "VIA", "ADDRESS", "ACTION", "ENTITY",
                      "KEY", "DETAIL"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        reader.audit(filter, [&](const registry::AuditRow& row) {
            if (context.json) {
                objects.push_back(json_of(row));
            } else {
                table.row({std::to_string(row.seq), base::format_time(row.at), row.session_user,
                           row.actor, row.via, row.address, row.action, row.entity, row.key,
                           row.detail});
            }
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_audit(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = root.command("audit", "Show who changed what and when, the latest last",
                                        [&context, options] { return audit(context, *options); });
    command.option(
        "--since", "TIME", options->since,
        fmt::format("Only since then: {} ago, or {}", base::duration_forms, base::time_forms));
    const cli::Option token =
        command.option("--token", "ID", options->token, "Only changes of this token");
    command
        .option(
            "--key", "KEY", options->key,
            "Only changes of what has this key: an id, ORG/GROUP, or \"USER ORG\" for a membership")
        .excludes(token);
    command.option("--org", "ORG", options->organization,
                   "Only changes of this organization and of what is in it");
    command.option("--limit", "N", options->limit, "Only the latest N; 0 for all").show_default();
}

}  // namespace token_auth::tokenctl
