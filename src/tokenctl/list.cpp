// list: the tokens there are.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/time_options.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string status;
    std::string expiring;
    std::string organization;
    std::string group;
    std::string user;
    std::string kind;
    std::string role;
    bool wide = false;
};

void require_one_of(std::string_view option, const std::string& value,
                    const std::vector<std::string>& allowed) {
    if (!value.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        throw base::Error(fmt::format("{} {} is not known; write one of {}", option,
                                      base::quoted(value), fmt::join(allowed, ", ")),
                          base::ErrorKind::invalid_argument);
    }
}

registry::TokenFilter filter_of(const Options& options, std::int64_t now) {
    require_one_of("--status", options.status,
                   {std::begin(registry::status_names), std::end(registry::status_names)});
    require_one_of("--kind", options.kind, {"organization", "group", "user"});
    registry::TokenFilter filter;
    filter.kind = options.kind;
    filter.organization = options.organization;
    filter.user = options.user;
    filter.role = options.role;
    if (!options.group.empty()) {
        const auto group = parse_group(options.group);
        filter.organization = group.organization;
        filter.group = group.id;
    }
    if (!options.expiring.empty()) {
        filter.expires_after = now;
        filter.expires_until = cli::time_or_duration_option("--expiring", options.expiring, now);
    }
    return filter;
}

// An empty list would hide that a name is wrong.
void require_named(registry::Reader& reader, const Options& options) {
    if (!options.organization.empty()) {
        need_organization(reader, options.organization);
    }
    if (!options.group.empty()) {
        need_group(reader, parse_group(options.group));
    }
    if (!options.user.empty()) {
        need_user(reader, options.user);
    }
    if (!options.role.empty()) {
        need_role(reader, options.role);
    }
}

int list(const Context& context, const Options& options) {
    const std::int64_t now = base::now();
    const auto filter = filter_of(options, now);
    std::vector<std::string> head{"ID", "STATUS", "OF", "ROLE", "SCOPES", "EXPIRES", "NAME"};
    if (options.wide) {
        head.emplace_back("DESCRIPTION");
    }
    cli::Table table(std::move(head));
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        require_named(reader, options);
        reader.tokens(filter, [&](const registry::TokenView& view) {
            const auto status = status_of(view, now);
            const bool wanted = options.status.empty() ? options.expiring.empty() ||
                                                             status != registry::Status::revoked
                                                       : status_name(status) == options.status;
            if (!wanted) {
                return;
            }
            if (context.json) {
                objects.push_back(json_of(view, now));
                return;
            }
            const registry::Token& token = view.token;
            std::vector<std::string> row{token.id,
                                         status_name(status),
                                         owner_text(token),
                                         token.role,
                                         registry::join_words(token.scopes),
                                         expiry_text(token),
                                         token.name};
            if (options.wide) {
                row.push_back(token.description);
            }
            table.row(std::move(row));
        });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

}  // namespace

void add_list(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = root.command("list", "List tokens",
                                        [&context, options] { return list(context, *options); });
    command.option("--status", "STATUS", options->status,
                   "Only tokens that are active, revoked, expired, pending, disabled or suspended");
    command.option("--expiring", "TIME", options->expiring,
                   "Only tokens that expire within this time, such as 7d, and are not revoked");
    command.flag("--wide", options->wide, "Show the descriptions as well");
    command.option("--org", "ORG", options->organization,
                   "Only tokens of this organization and its groups");
    command.option("--group", "ORG/GROUP", options->group, "Only tokens of this group");
    command.option("--user", "USER", options->user, "Only tokens that act for this user");
    command.option("--kind", "KIND", options->kind,
                   "Only tokens of this kind: organization, group or user");
    command.option("--role", "ROLE", options->role, "Only tokens with this role");
}

}  // namespace token_auth::tokenctl
