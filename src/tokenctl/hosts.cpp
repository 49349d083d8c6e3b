// hosts: the nginx hosts, as their tokensync reports them.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "registry/hosts.hpp"
#include "registry/schema.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/wait.hpp"

namespace token_auth::tokenctl {
namespace {

std::int64_t age_of(const registry::Host& host) {
    return std::max<std::int64_t>(host.report.age, 0) + host.seen;
}

// Empty: nothing.
std::vector<std::string> problems_of(const registry::Host& host) {
    std::vector<std::string> problems;
    if (host.seen > seen_of_late) {
        problems.push_back(fmt::format("not seen for {}", base::format_duration(host.seen)));
    }
    if (!host.report.problem.empty()) {
        problems.push_back(host.report.problem);
    }
    if (host.report.held_back != 0) {
        problems.push_back(
            fmt::format("{} held back", base::counted(host.report.held_back, "removal")));
    }
    if (host.report.left_out != 0) {
        problems.push_back(fmt::format("{} left out", base::counted(host.report.left_out, "row")));
    }
    if (!host.report.usage_problem.empty()) {
        problems.push_back(host.report.usage_problem);
    }
    if (host.report.usage_lost != 0) {
        problems.push_back(
            fmt::format("{} of tokens found no room in nginx: enlarge token_auth_zone",
                        base::counted(host.report.usage_lost, "use")));
    }
    if (host.schema < registry::schema_version) {
        problems.push_back(fmt::format(
            "its tokensync does not read registries of version {}: upgrade it before `tokenctl "
            "migrate`",
            registry::schema_version));
    }
    return problems;
}

std::string json_of(const registry::Host& host, std::int64_t now) {
    return base::json_text(
        {{"host", host.report.name},
         {"generation", host.report.generation},
         {"age", age_of(host)},
         {"seen", base::format_time(now - host.seen)},
         {"version", host.report.version},
         {"held_back", host.report.held_back},
         {"left_out", host.report.left_out},
         {"usage_since", host.usage_since == 0 ? base::Json(nullptr)
                                               : base::Json(base::format_time(host.usage_since))},
         {"usage_lost", host.report.usage_lost},
         {"problems", problems_of(host)}});
}

int list(const Context& context) {
    context.refuse_wait();
    cli::Table table({"HOST", "GENERATION", "AGE", "SEEN", "VERSION", "PROBLEMS"});
    std::vector<std::string> objects;
    const auto reports = open_reports(context);
    if (!reports) {
        cli::note("no host has reported yet; `tokensync watch` does");
    } else {
        const std::int64_t now = base::now();
        for (const registry::Host& host : registry::hosts(*reports)) {
            objects.push_back(json_of(host, now));
            table.row({host.report.name, std::to_string(host.report.generation),
                       base::format_duration(age_of(host)),
                       base::format_duration(host.seen) + " ago", host.report.version,
                       fmt::format("{}", fmt::join(problems_of(host), "; "))});
        }
    }
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_hosts(cli::Command root, Context& context) {
    root.command("hosts", "List the nginx hosts: how far their stores are, and what is wrong",
                 [&context] { return list(context); });
}

}  // namespace token_auth::tokenctl
