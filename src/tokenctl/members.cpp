// member: which user has which role in which organization.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/program.hpp"
#include "cli/table.hpp"
#include "tokenctl/context.hpp"
#include "tokenctl/view.hpp"

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
        const auto object = object_of(*writer.membership(options.user, options.organization));
        const std::string who =
            fmt::format("{} in organization {}", options.user, options.organization);
        switch (outcome) {
            case registry::Outcome::added:
                done = {with_outcome("added", object),
                        fmt::format("added {} with role {}", who, options.role)};
                break;
            case registry::Outcome::updated:
                done = {with_outcome("updated", object),
                        fmt::format("changed the role of {} from {} to {}", who, before->role,
                                    options.role)};
                break;
            case registry::Outcome::unchanged:
                done = {with_outcome("unchanged", object),
                        fmt::format("{} has role {} already", who, options.role)};
                break;
        }
    });
    report(context, done);
    return cli::exit_done;
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
        done = {with_outcome("removed", object_of(*membership)),
                fmt::format("removed {} from organization {}", options.user, options.organization)};
    });
    report(context, done);
    return cli::exit_done;
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "ORGANIZATION", "ROLE", "CREATED"});
    base::Json objects = base::Json::array();
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        if (!options.user.empty()) {
            need_user(reader, options.user);
        }
        if (!options.organization.empty()) {
            need_organization(reader, options.organization);
        }
        reader.memberships(
            options.user, options.organization, [&](const registry::Membership& each) {
                objects.push_back(object_of(each));
                table.row(
                    {each.user, each.organization, each.role, base::format_time(each.created)});
            });
    });
    print_list(context, table.text(), objects);
    return cli::exit_done;
}

void add_names(CLI::App& command, Options& options) {
    command.add_option("USER", options.user, "The user")->required()->type_name("");
    command.add_option("ORG", options.organization, "The organization")->required()->type_name("");
}

}  // namespace

void add_member_commands(cli::Program& program, Context& context) {
    auto options = std::make_shared<Options>();
    CLI::App& member = program.group("member", "Members of organizations");

    CLI::App& adder =
        program.command(member, "add", "Make a user a member, or change a member's role",
                        [&context, options] { return add(context, *options); });
    add_names(adder, *options);
    adder.add_option("--role", options->role, "The role there")->required()->type_name("ROLE");

    CLI::App& lister = program.command(member, "list", "List memberships",
                                       [&context, options] { return list(context, *options); });
    lister.add_option("--user", options->user, "Only this user's")->type_name("USER");
    lister.add_option("--org", options->organization, "Only this organization's")->type_name("ORG");

    add_names(program.command(member, "remove", "End a membership",
                              [&context, options] { return remove(context, *options); }),
              *options);
}

}  // namespace token_auth::tokenctl
