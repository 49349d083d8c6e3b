// revoke, and restore, which undoes it.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "registry/token_policy.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"
#include "tokenctl/new_token.hpp"

namespace token_auth::tokenctl {
namespace {

using Ids = std::vector<std::string>;

// What was done stays done, even if the row cannot be shown.
Report report_of(registry::Writer& writer, const std::string& id, registry::Outcome outcome,
                 bool revoked) {
    const char* const now = outcome == registry::Outcome::unchanged ? "" : "now ";
    const char* const already = *now == '\0' ? " already" : "";
    try {
        const auto view = need_token(writer, id);
        const std::string status = status_name(status_of(view, writer.now()));
        return {json_of(view, writer.now(), name_of(outcome)),
                fmt::format("token {} is {}{}{}", id, now, status, already)};
    } catch (const registry::SqlError&) {
        throw;
    } catch (const base::Error&) {
        return {json_of_unreadable(id, name_of(outcome)),
                fmt::format("token {} is {}{}revoked{}", id, now, revoked ? "" : "not ", already)};
    }
}

// A row that cannot be read can be restored all the same.
void require_room(registry::Writer& writer, const std::string& id) {
    std::optional<registry::TokenView> view;
    try {
        view = writer.token(id);
    } catch (const registry::SqlError&) {
        throw;
    } catch (const base::Error&) {
        return;
    }
    if (const auto problem = view ? restore_problem(writer, view->token) : std::nullopt) {
        require_none(view->token, {*problem});
    }
}

int set_revoked(const Context& context, const Ids& ids, bool revoked) {
    require_no_whole_tokens(ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& id : ids) {
            if (!revoked) {
                require_room(writer, id);
            }
            const auto outcome = writer.set_revoked(id, revoked);
            if (!outcome) {
                throw no_token(writer, id);
            }
            reports.push_back(report_of(writer, id, *outcome, revoked));
        }
    });
    return finish(context, reports);
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
