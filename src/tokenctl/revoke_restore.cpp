// revoke, and restore, which undoes it.
#include <fmt/format.h>

#include <memory>

#include "cli/exit.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

using Ids = std::vector<std::string>;

int set_revoked(const Context& context, const Ids& ids, bool revoked) {
    require_token_ids(ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& id : ids) {
            auto view = need_token(writer, id);
            const bool changes =
                writer.set_revoked(view.token, revoked) != registry::Outcome::unchanged;
            if (changes) {
                view.token.revoked = revoked ? writer.now() : 0;
            }
            const std::string status = status_name(status_of(view, writer.now()));
            reports.push_back({json_of(view, writer.now(), changes ? "updated" : "unchanged"),
                               fmt::format("token {} is {}{}{}", id, changes ? "now " : "", status,
                                           changes ? "" : " already")});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

}  // namespace

void add_revoke_restore(cli::Command root, Context& context) {
    auto ids = std::make_shared<Ids>();
    root.command("revoke", "Stop tokens from being let in; restore undoes it",
                 [&context, ids] { return set_revoked(context, *ids, true); })
        .positionals("ID", *ids, "The token's id")
        .required();
    root.command("restore", "Undo revoke",
                 [&context, ids] { return set_revoked(context, *ids, false); })
        .positionals("ID", *ids, "The token's id")
        .required();
}

}  // namespace token_auth::tokenctl
