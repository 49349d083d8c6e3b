// member: which user has which role in which organization.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string user;
    std::string organization;
    std::string role;
};

void require_named(const Options& options) {
    require_identifiers("user", {options.user});
    require_identifiers("organization", {options.organization});
}

std::string line_of(const Options& options, registry::Outcome outcome,
                    const std::optional<registry::Membership>& before) {
    const std::string who =
        fmt::format("{} in organization {}", options.user, options.organization);
    switch (outcome) {
        case registry::Outcome::added:
            return fmt::format("added {} with role {}", who, options.role);
        case registry::Outcome::updated:
            return fmt::format("changed the role of {} from {} to {}", who, before->role,
                               options.role);
        case registry::Outcome::unchanged:
            break;
    }
    return fmt::format("{} has role {} already", who, options.role);
}

int add(const Context& context, const Options& options) {
    require_named(options);
    require_identifiers("role", {options.role});
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        need_user(writer, options.user);
        need_organization(writer, options.organization);
        need_role(writer, options.role);
        const auto before = writer.membership(options.user, options.organization);
        const auto outcome =
            writer.put(registry::Membership{options.user, options.organization, options.role, 0});
        const auto after = *writer.membership(options.user, options.organization);
        done = {json_of(after, name_of(outcome)), line_of(options, outcome, before)};
    });
    return finish(context, done);
}

int remove(const Context& context, const Options& options) {
    require_named(options);
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        need_user(writer, options.user);
        need_organization(writer, options.organization);
        const auto membership = writer.membership(options.user, options.organization);
        if (!membership) {
            throw base::Error(fmt::format(
                "user {} is no member of organization {}; `tokenctl member list` lists who is",
                options.user, options.organization));
        }
        writer.remove(*membership);
        done = {json_of(*membership, "removed"),
                fmt::format("removed {} from organization {}", options.user, options.organization)};
    });
    return finish(context, done);
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "ORGANIZATION", "ROLE", "CREATED"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        if (!options.user.empty()) {
            need_user(reader, options.user);
        }
        if (!options.organization.empty()) {
            need_organization(reader, options.organization);
        }
        reader.memberships(
            options.user, options.organization, [&](const registry::Membership& each) {
                objects.push_back(json_of(each));
                table.row(
                    {each.user, each.organization, each.role, base::format_time(each.created)});
            });
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

void add_names(cli::Command command, Options& options) {
    command.positional("USER", options.user, "The user").required();
    command.positional("ORG", options.organization, "The organization").required();
}

}  // namespace

void add_member(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command member = root.group("member", "Members of organizations");

    cli::Command adder = member.command("add", "Make a user a member, or change a member's role",
                                        [&context, options] { return add(context, *options); });
    add_names(adder, *options);
    adder.option("--role", "ROLE", options->role, "The role there").required();

    cli::Command lister = member.command("list", "List memberships",
                                         [&context, options] { return list(context, *options); });
    lister.option("--user", "USER", options->user, "Only this user's");
    lister.option("--org", "ORG", options->organization, "Only this organization's");

    add_names(member.command("remove", "End a membership",
                             [&context, options] { return remove(context, *options); }),
              *options);
}

}  // namespace token_auth::tokenctl
