// delete: removes tokens for good.
#include <fmt/format.h>

#include <memory>

#include "cli/exit.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

int delete_tokens(const Context& context, const std::vector<std::string>& ids) {
    require_token_ids(ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        for (const std::string& id : ids) {
            const auto view = need_token(writer, id);
            writer.remove(view.token);
            reports.push_back(
                {json_of(view, writer.now(), "removed"), fmt::format("deleted token {}", id)});
        }
    });
    report(context, reports);
    return cli::exit_done;
}

}  // namespace

void add_delete(cli::Command root, Context& context) {
    auto ids = std::make_shared<std::vector<std::string>>();
    root.command("delete", "Delete tokens; this cannot be undone",
                 [&context, ids] { return delete_tokens(context, *ids); })
        .positionals("ID", *ids, "The token's id")
        .required();
}

}  // namespace token_auth::tokenctl
