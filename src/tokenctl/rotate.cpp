// rotate: makes a token's successor, shows it once, and ends the token soon.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
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
    std::string id;
    std::string grace = "24h";
    NewTokenOptions common;
};

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

void require_key(const registry::Token& token, const KeyFile& key) {
    if (token.digest.key_id != no_key && !key.is_given()) {
        throw base::Error(fmt::format(
            "token {} has a keyed digest (key {}); give the key by --key or TOKEN_AUTH_KEY",
            token.id, registry::format_key_id(token.digest.key_id)));
    }
}

registry::Token successor_of(const registry::Token& predecessor, const NewTokenOptions& options,
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
        token.expires = expiry_of(options.expires, now);
    } else if (token.expires != 0) {
        token.expires = std::min(now + (token.expires - predecessor.created), base::time_max);
    }
    if (token.not_before <= now) {
        token.not_before = 0;
    }
    require_valid(token);
    return token;
}

// Takes a rotation back whose new token nobody has seen.
void undo_rotation(registry::Writer& writer, const registry::Token& before,
                   const registry::Token& rotated) {
    writer.set_revoked(rotated.successor, true);
    auto view = writer.token(before.id);
    if (view && view->token.successor == rotated.successor) {
        view->token.successor.clear();
        if (view->token.expires == rotated.expires) {
            view->token.expires = before.expires;
        }
        writer.put(view->token, "unrotate");
    }
}

int rotate(const Context& context, const Options& options) {
    require_token_ids({options.id});
    const auto author = context.author();
    const std::int64_t grace = cli::duration_option("--grace", options.grace);
    if (!options.common.expires.empty()) {
        expiry_of(options.common.expires,
                  author.now);  // wrong usage, before the registry is opened
    }
    KeyFile key(options.common.key_file);
    registry::Token before;
    registry::Token predecessor;
    registry::TokenView made;
    registry::Token& token = made.token;
    std::unique_ptr<registry::TokenText> text;
    auto registry = context.open(registry::Access::write);
    registry.write(author, [&](registry::Writer& writer) {
        made = need_token(writer, options.id);
        before = made.token;
        predecessor = before;
        require_rotatable(predecessor, author.now);
        require_key(predecessor, key);
        token = successor_of(predecessor, options.common, author.now);
        text = put_new_token(writer, key, token);

        const std::int64_t end = std::min(author.now + grace, base::time_max);
        predecessor.expires = predecessor.expires == 0 ? end : std::min(predecessor.expires, end);
        predecessor.successor = token.id;
        writer.put(predecessor, "rotate");
    });
    show_token(context, *text, json_of_successor(made, author.now, predecessor.expires), [&] {
        registry.write(
            author, [&](registry::Writer& writer) { undo_rotation(writer, before, predecessor); });
        return fmt::format("token {} is revoked again, and {} goes on as before", token.id,
                           before.id);
    });
    tell_of_new_token(context, token, author.now);
    if (!context.json) {
        cli::note(fmt::format("its predecessor {} {} {}", predecessor.id,
                              predecessor.expires <= author.now ? "expired" : "expires",
                              expiry_text(predecessor)));
    }
    return wait_for_hosts(context);
}

}  // namespace

void add_rotate(cli::Command root, Context& context) {
    auto options = std::make_shared<Options>();
    cli::Command command = root.command(
        "rotate", "Create a successor with the same rights; the token itself expires soon",
        [&context, options] { return rotate(context, *options); });
    command.positional("ID", options->id, "The token's id").required();
    command
        .option("--grace", "TIME", options->grace,
                "How long the token stays valid beside its successor; 0s for not at all")
        .show_default();
    add_new_token_options(command, options->common, "the lifetime of its predecessor",
                          "that of its predecessor");
}

}  // namespace token_auth::tokenctl
