// show: all there is to know about a token.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/output.hpp"
#include "registry/validate.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/last_use.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

std::string time_or_nothing(std::int64_t time) {
    return time == 0 ? "" : base::format_time(time);
}

std::string use_text(bool is_told, const registry::TokenUse* use) {
    if (use == nullptr) {
        return is_told ? "never" : "";
    }
    return fmt::format("{}{}, {} in all", base::format_time(use->time),
                       use->address.empty() ? "" : " from " + use->address,
                       base::counted(use->count, "use"));
}

std::string text_of(const registry::TokenView& view, std::int64_t now,
                    const std::string& last_used) {
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
        {"created by", token.created_by},
        {"created via", token.created_via},
        {"not before", time_or_nothing(token.not_before)},
        {"expires", expiry_text(token)},
        {"revoked", time_or_nothing(token.revoked)},
        {"last used", last_used},
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
    return text;
}

int show(const Context& context, const std::string& id) {
    require_token_ids({id});
    const std::int64_t now = base::now();
    registry::TokenView view;
    context.open(registry::Access::read).read([&](registry::Reader& reader) {
        view = need_token(reader, id);
    });
    const LastUse last_use(context);
    const registry::TokenUses uses = last_use.of({id});
    const registry::TokenUse* const use = uses.empty() ? nullptr : &uses.begin()->second;
    const bool is_told = last_use.is_told();
    cli::write_out(context.json ? json_of(view, now, is_told, use) + "\n"
                                : text_of(view, now, use_text(is_told, use)));
    return cli::exit_done;
}

}  // namespace

void add_show(cli::Command root, Context& context) {
    auto id = std::make_shared<std::string>();
    root.command("show", "Show everything about a token except its secret",
                 [&context, id] { return show(context, *id); })
        .positional("ID", *id, "The token's id")
        .required();
}

}  // namespace token_auth::tokenctl
