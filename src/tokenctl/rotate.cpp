// rotate: makes a token's successor, shows it once, and ends the token soon.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "cli/time_options.hpp"
#include "registry/rotation.hpp"
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
    std::string id;
    std::string grace = "24h";
    NewTokenOptions common;
};

registry::Rotation rotation_of(const Options& options, std::int64_t now) {
    registry::Rotation rotation;
    rotation.grace = cli::duration_option("--grace", options.grace);
    if (!options.common.expires.empty()) {
        rotation.expires = expiry_of(options.common.expires, now);
    }
    rotation.prefix = options.common.prefix;
    return rotation;
}

registry::RotatedToken put_rotation(registry::Writer& writer, registry::TokenDigester& key,
                                    const registry::Token& predecessor,
                                    const registry::Rotation& rotation) {
    require_rotatable(predecessor, key, writer.now());
    const auto policy = policy_for(writer, predecessor);
    const auto successor = successor_of(predecessor, rotation, policy, writer.now());
    require_valid(successor);
    require_policy(writer, policy, successor, rotation.grace == 0 ? 1 : 0);
    return registry::put_rotation(writer, key, predecessor, successor, rotation.grace);
}

int rotate(const Context& context, const Options& options) {
    require_token_ids({options.id});
    const auto author = context.author();
    const registry::Rotation rotation = rotation_of(options, author.now);
    registry::TokenDigester key({options.common.key_file});
    registry::TokenView made;
    registry::RotatedToken rotated;
    auto registry = context.open(registry::Access::write);
    registry.write(author, [&](registry::Writer& writer) {
        made = need_token(writer, options.id);
        rotated = put_rotation(writer, key, made.token, rotation);
    });
    const registry::Token& token = made.token = rotated.successor;
    const registry::Token& predecessor = rotated.predecessor;
    show_token(context, *rotated.text, json_of_successor(made, author.now, predecessor.expires),
               [&] {
                   registry.write(
                       author, [&](registry::Writer& writer) { undo_rotation(writer, rotated); });
                   return fmt::format("token {} is revoked again, and {} goes on as before",
                                      token.id, predecessor.id);
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
