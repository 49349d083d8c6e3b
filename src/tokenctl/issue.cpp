// create and rotate: the two commands that make tokens, and show each once.
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "cli/program.hpp"
#include "cli/time_options.hpp"
#include "registry/token_text.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"
#include "tokenctl/context.hpp"
#include "tokenctl/key_file.hpp"
#include "tokenctl/view.hpp"

namespace token_auth::tokenctl {
namespace {

constexpr const char* default_life = "90d";
constexpr const char* never = "never";
constexpr std::int64_t long_life = 366 * 86400;

struct Options {
    std::string organization;
    std::string group;
    std::string user;
    std::string name;
    std::string description;
    std::vector<std::string> scopes;
    std::string role;
    std::string expires;
    std::string not_before;
    std::vector<std::string> allow;
    std::string prefix;
    std::string key_file;
    std::string id;
    std::string grace = "24h";
};

base::Error usage(const std::string& text) {
    return base::Error(text, base::ErrorKind::invalid_argument);
}

std::int64_t expiry(const std::string& text, std::int64_t now) {
    if (text == never) {
        return 0;
    }
    const std::int64_t expires = cli::time_or_duration_option("--expires", text, now);
    if (expires <= now) {
        throw usage(fmt::format("--expires {} is in the past; name a later time, or \"never\"",
                                base::quoted(text)));
    }
    return expires;
}

void require_order(const registry::Token& token) {
    if (token.expires != 0 && token.not_before >= token.expires) {
        throw usage(
            fmt::format("the token would expire ({}) before it is valid (--not-before {}); "
                        "change --expires or --not-before",
                        base::format_time(token.expires), base::format_time(token.not_before)));
    }
}

void warn_of_long_life(const registry::Token& token, std::int64_t now) {
    if (token.expires == 0) {
        cli::warn(
            "this token never expires; one that does, rotated in time, does less harm when "
            "it leaks");
    } else if (token.expires - now > long_life) {
        cli::warn(
            "this token lives for more than a year; a shorter life, rotated in time, does "
            "less harm when it leaks");
    }
}

// Gives the token an id and a digest, puts it into the registry and returns its text.
std::unique_ptr<registry::TokenText> issue(registry::Writer& writer, KeyFile& key,
                                           registry::Token& token, std::string_view action) {
    auto text = std::make_unique<registry::TokenText>(token.prefix);
    token.id = text->id();
    token.digest = key.digest(text->view());
    if (writer.token(token.id)) {
        throw base::Error("the random id is in use already; try again");
    }
    writer.put(token, action);
    token = writer.token(token.id)->token;
    return text;
}

// The token alone on its line, or as the first member of the object.
void print_token(const Context& context, const registry::TokenText& text,
                 const base::Json& object) {
    std::string line;
    line.reserve(text.view().size() + 16);  // so that no copy of the token stays behind
    if (context.json) {
        const std::string rest = base::json_line(object).substr(1);
        line.reserve(text.view().size() + rest.size() + 16);
        line += "{\"token\":\"";
        line += text.view();
        line += "\",";
        line += rest;
    } else {
        line += text.view();
        line += '\n';
    }
    const auto wipe = [&] { OPENSSL_cleanse(line.data(), line.size()); };
    try {
        cli::write_out(line);
    } catch (...) {
        wipe();
        throw;
    }
    wipe();
}

// What create asks for, checked as far as that goes without a registry.
registry::Token wanted(const Options& options, std::int64_t now) {
    const int owners = (options.organization.empty() ? 0 : 1) + (options.group.empty() ? 0 : 1) +
                       (options.user.empty() ? 0 : 1);
    if (owners != 1) {
        throw usage("name exactly one of --org, --group and --user");
    }
    registry::Token token;
    if (!options.user.empty()) {
        token.kind = kind_user;
        token.user = options.user;
        if (!options.role.empty()) {
            throw usage(
                "--role is not for user tokens: their role is that of the user's "
                "membership; see `tokenctl member add`");
        }
    } else if (!options.group.empty()) {
        const auto group = parse_group(options.group);
        token.kind = kind_group;
        token.organization = group.organization;
        token.group = group.id;
    } else {
        token.organization = options.organization;
    }
    token.name = options.name;
    token.description = options.description;
    token.role = options.role;
    for (const std::string& words : options.scopes) {
        for (auto& scope : registry::split_words(words)) {
            token.scopes.push_back(std::move(scope));
        }
    }
    token.scopes = registry::canonical(std::move(token.scopes));
    for (const std::string& blocks : options.allow) {
        for (auto& block : registry::split_words(blocks)) {
            token.allow.push_back(std::move(block));
        }
    }
    token.expires = expiry(options.expires.empty() ? default_life : options.expires, now);
    if (!options.not_before.empty()) {
        token.not_before = cli::time_or_duration_option("--not-before", options.not_before, now);
    }
    token.prefix = options.prefix.empty() ? registry::default_prefix(token.kind) : options.prefix;
    require_order(token);

    registry::Token complete = token;
    complete.id = "id";  // made later
    if (const auto problem = check(complete)) {
        throw usage(fmt::format("{} {}", problem->field, problem->text));
    }
    return token;
}

int create(const Context& context, const Options& options) {
    const auto author = context.author();
    registry::Token token = wanted(options, author.now);
    KeyFile key(options.key_file);
    bool disabled = false;
    bool suspended = false;
    context.open(registry::Access::write).write(author, [&](registry::Writer& writer) {
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
        const auto text = issue(writer, key, token, "create");
        // Within the transaction: a token that could not be shown must not come to be.
        print_token(context, *text, object_of({token, suspended}, author.now));
    });
    warn_of_long_life(token, author.now);
    if (disabled) {
        cli::warn(fmt::format("user {} is disabled, so the token is not let in yet", token.user));
    }
    if (suspended) {
        cli::warn(fmt::format("organization {} is suspended, so the token is not let in yet",
                              token.organization));
    }
    if (!context.json) {
        cli::note(fmt::format("created token {} of {}, expires {}; it is shown only this once",
                              token.id, owner_text(token), expiry_text(token)));
    }
    return cli::exit_done;
}

void require_rotatable(const registry::Token& token, std::int64_t now) {
    if (token.revoked != 0) {
        throw base::Error(
            fmt::format("token {} is revoked; `tokenctl restore` it first, or "
                        "`tokenctl create` a new one",
                        token.id));
    }
    if (token.expires != 0 && token.expires <= now) {
        throw base::Error(fmt::format("token {} expired at {}; `tokenctl create` a new one",
                                      token.id, base::format_time(token.expires)));
    }
    if (!token.successor.empty()) {
        throw base::Error(fmt::format("token {} was rotated already; rotate its successor {}",
                                      token.id, token.successor));
    }
}

registry::Token successor_of(const registry::Token& predecessor, const Options& options,
                             std::int64_t now) {
    registry::Token token = predecessor;
    token.predecessor = predecessor.id;
    token.created = now;
    if (!options.prefix.empty()) {
        token.prefix = options.prefix;
    } else if (token.prefix.empty()) {
        token.prefix = registry::default_prefix(token.kind);
    }
    if (!options.expires.empty()) {
        token.expires = expiry(options.expires, now);
    } else if (token.expires != 0) {
        token.expires = std::min(now + (token.expires - predecessor.created), base::time_max);
    }
    if (token.not_before <= now) {
        token.not_before = 0;
    }
    require_order(token);
    if (const auto problem = check(token)) {
        throw usage(fmt::format("{} {}", problem->field, problem->text));
    }
    return token;
}

int rotate(const Context& context, const Options& options) {
    require_token_id(options.id);
    const auto author = context.author();
    const std::int64_t grace = cli::duration_option("--grace", options.grace);
    if (!options.expires.empty()) {
        expiry(options.expires, author.now);  // wrong usage is found before the registry is opened
    }
    KeyFile key(options.key_file);
    registry::Token predecessor;
    registry::Token token;
    context.open(registry::Access::write).write(author, [&](registry::Writer& writer) {
        const auto view = need_token(writer, options.id);
        predecessor = view.token;
        require_rotatable(predecessor, author.now);
        if (predecessor.digest.key_id != no_key && !key.is_given()) {
            throw base::Error(fmt::format(
                "token {} has a keyed digest (key {}); give the key by --key or TOKEN_AUTH_KEY",
                predecessor.id, registry::format_key_id(predecessor.digest.key_id)));
        }
        token = successor_of(predecessor, options, author.now);
        const auto text = issue(writer, key, token, "create");

        const std::int64_t end = std::min(author.now + grace, base::time_max);
        predecessor.expires = predecessor.expires == 0 ? end : std::min(predecessor.expires, end);
        predecessor.successor = token.id;
        writer.put(predecessor, "rotate");

        base::Json object = object_of({token, view.organization_suspended}, author.now);
        object["predecessor_expires"] = base::format_time(predecessor.expires);
        print_token(context, *text, object);
    });
    warn_of_long_life(token, author.now);
    if (!context.json) {
        cli::note(fmt::format("created token {} of {}, expires {}; it is shown only this once",
                              token.id, owner_text(token), expiry_text(token)));
        cli::note(fmt::format("its predecessor {} {} {}", predecessor.id,
                              predecessor.expires <= author.now ? "expired" : "expires",
                              expiry_text(predecessor)));
    }
    return cli::exit_done;
}

void add_common(CLI::App& command, Options& options, const std::string& default_expiry) {
    command
        .add_option("--expires", options.expires,
                    fmt::format("When it ends: after {}, at {}, or {} (default: {})",
                                base::duration_forms, base::time_forms, never, default_expiry))
        ->type_name("TIME");
    command
        .add_option("--prefix", options.prefix,
                    "What it begins with (default: ak, gk or pat, by its kind)")
        ->type_name("PREFIX");
    command
        .add_option("--key", options.key_file,
                    "A secret key file, for a keyed digest (nginx needs it too: token_auth_key)")
        ->envname("TOKEN_AUTH_KEY")
        ->type_name("FILE");
}

CLI::Option* list_option(CLI::App& command, const char* name, std::vector<std::string>& values,
                         const char* description) {
    return command.add_option(name, values, description)->allow_extra_args(false);
}

}  // namespace

void add_issue_commands(cli::Program& program, Context& context) {
    CLI::App& app = program.app();
    auto options = std::make_shared<Options>();

    CLI::App& creator =
        program.command(app, "create", "Make a token and write it to standard output, once",
                        [&context, options] { return create(context, *options); });
    creator.add_option("--org", options->organization, "For this organization")->type_name("ORG");
    creator.add_option("--group", options->group, "For this group")->type_name("ORG/GROUP");
    creator.add_option("--user", options->user, "A personal token of this user")->type_name("USER");
    creator.add_option("--name", options->name, "What people know it by")
        ->required()
        ->type_name("NAME");
    creator.add_option("--description", options->description, "What it is for")->type_name("TEXT");
    list_option(creator, "--scope", options->scopes, "A scope it has; may be given more than once")
        ->type_name("SCOPE");
    creator.add_option("--role", options->role, "The role it has (not for users' tokens)")
        ->type_name("ROLE");
    creator
        .add_option("--not-before", options->not_before,
                    fmt::format("When it begins: after {}, or at {} (default: now)",
                                base::duration_forms, base::time_forms))
        ->type_name("TIME");
    list_option(creator, "--allow", options->allow,
                "An address or CIDR block it may be used from; may be given more than once "
                "(default: from anywhere)")
        ->type_name("CIDR");
    add_common(creator, *options, default_life);

    CLI::App& rotator = program.command(
        app, "rotate", "Make a successor with the same rights; the predecessor ends soon",
        [&context, options] { return rotate(context, *options); });
    rotator.add_option("ID", options->id, "The token's id")->required()->type_name("");
    rotator
        .add_option("--grace", options->grace, "How long the predecessor lives on; 0s ends it now")
        ->type_name("TIME")
        ->capture_default_str();
    add_common(rotator, *options, "as long a life as its predecessor's");
}

}  // namespace token_auth::tokenctl
