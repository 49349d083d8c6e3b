// member: which user has which role in which organization, or in a group for managing alone.
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
    std::string place;  // ORG or ORG/GROUP
    std::string organization;
    std::string group;
    std::string role;
};

bool names_group(const std::string& place) {
    return place.find('/') != std::string::npos;
}

// Where the member is, and the role; checked as far as that goes without a registry.
registry::Membership membership_of(const Options& options) {
    registry::Membership membership{options.user, options.place, options.role};
    require_identifiers("user", {options.user});
    if (names_group(options.place)) {
        const auto group = parse_group(options.place);
        membership.organization = group.organization;
        membership.group = group.id;
    } else {
        require_identifiers("organization", {options.place});
    }
    return membership;
}

std::string place_text(const registry::Membership& membership) {
    return membership.group.empty()
               ? "organization " + membership.organization
               : fmt::format("group {}/{}", membership.organization, membership.group);
}

void need_named(registry::Reader& reader, const registry::Membership& membership) {
    need_user(reader, membership.user);
    need_organization(reader, membership.organization);
    if (!membership.group.empty()) {
        need_group(reader, {membership.organization, membership.group, 0});
    }
}

std::optional<registry::Membership> stored(registry::Reader& reader,
                                           const registry::Membership& named) {
    return reader.membership(named.user, named.organization, named.group);
}

std::string line_of(const registry::Membership& membership, registry::Outcome outcome,
                    const std::optional<registry::Membership>& before) {
    const std::string who = fmt::format("{} in {}", membership.user, place_text(membership));
    switch (outcome) {
        case registry::Outcome::added:
            return fmt::format("added {} with role {}", who, membership.role);
        case registry::Outcome::updated:
            return fmt::format("changed the role of {} from {} to {}", who, before->role,
                               membership.role);
        case registry::Outcome::unchanged:
            break;
    }
    return fmt::format("{} has role {} already", who, membership.role);
}

int add(const Context& context, const Options& options) {
    const auto membership = membership_of(options);
    require_identifiers("role", {options.role});
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        need_named(writer, membership);
        need_role(writer, membership.role);
        const auto before = stored(writer, membership);
        const auto outcome = writer.put(membership);
        done = {json_of(*stored(writer, membership), name_of(outcome)),
                line_of(membership, outcome, before)};
    });
    return finish(context, done);
}

int remove(const Context& context, const Options& options) {
    const auto named = membership_of(options);
    Report done;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        need_named(writer, named);
        const auto membership = stored(writer, named);
        if (!membership) {
            throw base::Error(
                fmt::format("user {} is no member of {}; `tokenctl member list` lists who is",
                            named.user, place_text(named)));
        }
        writer.remove(*membership);
        done = {json_of(*membership, "removed"),
                fmt::format("removed {} from {}{}", named.user, place_text(named),
                            named.group.empty() ? " and its groups" : "")};
    });
    return finish(context, done);
}

registry::MemberFilter filter_of(registry::Reader& reader, const Options& options) {
    registry::MemberFilter filter;
    filter.user = options.user;
    filter.organization = options.organization;
    if (!options.group.empty()) {
        const auto group = parse_group(options.group);
        need_group(reader, group);
        filter.organization = group.organization;
        filter.group = group.id;
    }
    if (!options.user.empty()) {
        need_user(reader, options.user);
    }
    if (!filter.organization.empty()) {
        need_organization(reader, filter.organization);
    }
    return filter;
}

int list(const Context& context, const Options& options) {
    cli::Table table({"USER", "ORGANIZATION", "GROUP", "ROLE", "CREATED"});
    std::vector<std::string> objects;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        const auto filter = filter_of(reader, options);
        const auto add = [&](const registry::Membership& each) {
            objects.push_back(json_of(each));
            table.row({each.user, each.organization, each.group, each.role,
                       base::format_time(each.created)});
        };
        if (filter.group.empty()) {
            reader.memberships(filter, add);
        }
        reader.group_memberships(filter, add);
    });
    print_list(context, table, objects);
    return cli::exit_done;
}

void add_names(cli::Command command, Options& options) {
    command.positional("USER", options.user, "The user").required();
    command.positional("ORG", options.place, "The organization, or ORG/GROUP").required();
}

}  // namespace

void add_member(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command member = root.group("member", "Members of organizations and groups");

    cli::Command adder =
        member.command("add",
                       "Make a user a member, or change a member's role; in a group it is "
                       "for managing alone",
                       [&context, options] { return add(context, *options); });
    add_names(adder, *options);
    adder.option("--role", "ROLE", options->role, "The role there").required();

    cli::Command lister = member.command("list", "List memberships",
                                         [&context, options] { return list(context, *options); });
    lister.option("--user", "USER", options->user, "Only this user's");
    lister.option("--org", "ORG", options->organization,
                  "Only this organization's and its groups'");
    lister.option("--group", "ORG/GROUP", options->group, "Only this group's");

    add_names(member.command("remove",
                             "End a membership; that in an organization with those in its groups",
                             [&context, options] { return remove(context, *options); }),
              *options);
}

}  // namespace token_auth::tokenctl
