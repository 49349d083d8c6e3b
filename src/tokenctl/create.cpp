// create: makes a token, and shows it once.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
#include "registry/new_token.hpp"
#include "registry/token_policy.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"
#include "tokenctl/new_token.hpp"
#include "tokenctl/wait.hpp"

namespace token_auth::tokenctl {
namespace {

struct Options {
    std::string organization;
    std::string group;
    std::string user;
    std::string name;
    std::string description;
    std::vector<std::string> scopes;
    std::string role;
    std::string not_before;
    std::vector<std::string> allow;
    NewTokenOptions common;
};

base::Error invalid(const char* text) {
    return base::Error(text, base::ErrorKind::invalid_argument);
}

void set_owner(registry::Token& token, const Options& options) {
    const int owners = (options.organization.empty() ? 0 : 1) + (options.group.empty() ? 0 : 1) +
                       (options.user.empty() ? 0 : 1);
    if (owners != 1) {
        throw invalid("name exactly one of --org, --group and --user");
    }
    if (!options.user.empty()) {
        if (!options.role.empty()) {
            throw invalid(
                "--role is not for user tokens: their role is that of the user's membership; see "
                "`tokenctl member add`");
        }
        token.kind = kind_user;
        token.user = options.user;
    } else if (!options.group.empty()) {
        const auto group = parse_group(options.group);
        token.kind = kind_group;
        token.organization = group.organization;
        token.group = group.id;
    } else {
        token.organization = options.organization;
    }
}

// What the options ask for, checked as far as that goes without a registry.
registry::Token token_of(const Options& options, std::int64_t now) {
    registry::Token token;
    set_owner(token, options);
    token.name = options.name;
    token.description = options.description;
    token.role = options.role;
    token.scopes = scopes_of(options.scopes);
    token.allow = words_of("allow", options.allow);
    const NewTokenOptions& common = options.common;
    token.created = now;
    token.expires =
        common.expires.empty() ? now + registry::usual_life : expiry_of(common.expires, now);
    if (!options.not_before.empty()) {
        token.not_before = cli::time_or_duration_option("--not-before", options.not_before, now);
    }
    token.prefix = common.prefix.empty() ? registry::default_prefix(token.kind) : common.prefix;
    require_valid(token);
    return token;
}

int create(const Context& context, const Options& options) {
    const auto author = context.author();
    const registry::Token wanted = token_of(options, author.now);
    registry::Token token;
    registry::TokenDigester key({options.common.key_file});
    bool disabled = false;
    bool suspended = false;
    std::unique_ptr<registry::TokenText> text;
    auto registry = context.open(registry::Access::write);
    registry.write(author, [&](registry::Writer& writer) {
        token = wanted;
        if (!token.organization.empty()) {
            suspended = need_organization(writer, token.organization).suspended;
        }
        if (!token.group.empty()) {
            need_group(writer, {token.organization, token.group, 0});
        }
        if (!token.user.empty()) {
            disabled = need_user(writer, token.user).disabled;
        }
        if (!token.role.empty()) {
            need_role(writer, token.role);
        }
        const auto policy = policy_for(writer, token);
        if (options.common.expires.empty()) {
            token.expires = default_expiry(policy, token.created);
            require_valid(token);
        }
        require_policy(writer, policy, token);
        text = registry::put_new_token(writer, key, token);
    });
    show_token(context, *text, json_of({token, suspended}, author.now), [&] {
        registry.write(author,
                       [&](registry::Writer& writer) { writer.set_revoked(token.id, true); });
        return fmt::format("token {} is revoked again", token.id);
    });
    if (disabled) {
        cli::warn(
            fmt::format("user {} is disabled: the token is not let in until `tokenctl user "
                        "enable`",
                        token.user));
    }
    if (suspended) {
        cli::warn(
            fmt::format("organization {} is suspended: the token is not let in until "
                        "`tokenctl org resume`",
                        token.organization));
    }
    tell_of_new_token(context, token, author.now);
    return wait_for_hosts(context);
}

}  // namespace

void add_create(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = root.command(
        "create", "Create a token and write it to standard output; it is shown only this once",
        [&context, options] { return create(context, *options); });
    command.option("--org", "ORG", options->organization, "Create it for this organization");
    command.option("--group", "ORG/GROUP", options->group, "Create it for this group");
    command.option("--user", "USER", options->user, "Create a personal token of this user");
    command.option("--name", "NAME", options->name, "Its name, for people")
        .may_be_empty()  // the registry has a better message
        .required();
    command.option("--description", "TEXT", options->description, "What it is for").may_be_empty();
    command.list("--scope", "SCOPE", options->scopes, "A scope it has; repeat it for more");
    command.option("--role", "ROLE", options->role, "The role it has (not for users' tokens)");
    command.option("--not-before", "TIME", options->not_before,
                   fmt::format("When it becomes valid: after {}, or at {} (default: now)",
                               base::duration_forms, base::time_forms));
    command.list("--allow", "CIDR", options->allow,
                 "An address or CIDR block it may be used from; repeat it for more "
                 "(default: from anywhere)");
    add_new_token_options(command, options->common, "what the policy says, else 90d",
                          "ak, gk or pat, by its kind");
}

}  // namespace token_auth::tokenctl
