// list, show, revoke, restore, delete.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "cli/program.hpp"
#include "cli/table.hpp"
#include "cli/time_options.hpp"
#include "registry/validate.hpp"
#include "tokenctl/context.hpp"
#include "tokenctl/view.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::vector<std::string> ids;
    std::string id;
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

// A name that is not there would give an empty list, which says another thing.
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
    base::Json objects = base::Json::array();
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
                objects.push_back(object_of(view, now));
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
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

std::string time_or_nothing(std::int64_t time) {
    return time == 0 ? "" : base::format_time(time);
}

int show(const Context& context, const Options& options) {
    require_token_id(options.id);
    const std::int64_t now = base::now();
    registry::TokenView view;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        view = need_token(reader, options.id);
    });
    const base::Json object = object_of(view, now);
    if (context.json) {
        cli::print_json(object);
        return cli::exit_done;
    }
    const registry::Token& token = view.token;
    const KeyId key = token.digest.key_id;
    const std::vector<std::pair<const char*, std::string>> lines = {
        {"id", token.id},
        {"name", token.name},
        {"description", token.description},
        {"status", status_name(status_of(view, now))},
        {"of", owner_text(token)},
        {"acts for", token.user},
        {"role", token.role},
        {"scopes", registry::join_words(token.scopes)},
        {"addresses", registry::join_words(token.allow)},
        {"created", base::format_time(token.created)},
        {"not before", time_or_nothing(token.not_before)},
        {"expires", expiry_text(token)},
        {"revoked", time_or_nothing(token.revoked)},
        {"predecessor", token.predecessor},
        {"successor", token.successor},
        {"begins with", token.prefix.empty() ? "" : token.prefix + "_" + token.id},
        {"digest", key == no_key ? "sha256" : "hmac-sha256, key " + registry::format_key_id(key)},
    };
    std::string text;
    for (const auto& [name, value] : lines) {
        if (!value.empty()) {
            text += fmt::format("{:<13}{}\n", name, base::printable(value));
        }
    }
    cli::write_out(text);
    return cli::exit_done;
}

void require_token_ids(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
        require_token_id(id);
    }
}

int revoke(const Context& context, const Options& options, bool revoked) {
    require_token_ids(options.ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& id : options.ids) {
            auto view = need_token(writer, id);
            const bool changes = (view.token.revoked != 0) != revoked;
            if (changes) {
                view.token.revoked = revoked ? writer.now() : 0;
                writer.put(view.token, revoked ? "revoke" : "restore");
            }
            const std::string status = status_name(status_of(view, writer.now()));
            reports.push_back(
                {with_outcome(changes ? "updated" : "unchanged", object_of(view, writer.now())),
                 fmt::format("token {} is {}{}", id, changes ? "now " : "", status) +
                     (changes ? "" : " already")});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

int remove(const Context& context, const Options& options) {
    require_token_ids(options.ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& id : options.ids) {
            const auto view = need_token(writer, id);
            writer.remove(view.token);
            reports.push_back({with_outcome("removed", object_of(view, writer.now())),
                               fmt::format("deleted token {}", id)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

}  // namespace

void add_token_commands(cli::Program& program, Context& context) {
    CLI::App& app = program.app();
    auto options = std::make_shared<Options>();

    CLI::App& lister = program.command(app, "list", "List tokens",
                                       [&context, options] { return list(context, *options); });
    lister
        .add_option("--status", options->status,
                    "Only those active, revoked, expired, pending, disabled or suspended")
        ->type_name("STATUS");
    lister
        .add_option("--expiring", options->expiring,
                    "Only those that expire within a time such as 7d, and are not revoked")
        ->type_name("TIME");
    lister.add_flag("--wide", options->wide, "Show the descriptions as well");
    lister.add_option("--org", options->organization, "Only this organization's, groups included")
        ->type_name("ORG");
    lister.add_option("--group", options->group, "Only this group's")->type_name("ORG/GROUP");
    lister.add_option("--user", options->user, "Only those that act for this user")
        ->type_name("USER");
    lister.add_option("--kind", options->kind, "Only those of kind organization, group or user")
        ->type_name("KIND");
    lister.add_option("--role", options->role, "Only those with this role")->type_name("ROLE");

    program
        .command(app, "show", "Show all there is to know about a token",
                 [&context, options] { return show(context, *options); })
        .add_option("ID", options->id, "The token's id")
        ->required()
        ->type_name("");

    names_option(program.command(app, "revoke", "Let tokens in no longer; restore undoes it",
                                 [&context, options] { return revoke(context, *options, true); }),
                 "ID", options->ids, "The token's id");
    names_option(program.command(app, "restore", "Undo revoke",
                                 [&context, options] { return revoke(context, *options, false); }),
                 "ID", options->ids, "The token's id");
    names_option(program.command(app, "delete", "Delete tokens, for good",
                                 [&context, options] { return remove(context, *options); }),
                 "ID", options->ids, "The token's id");
}

}  // namespace token_auth::tokenctl
