// delete: removes tokens for good.
#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "tokenctl/commands.hpp"
#include "tokenctl/format.hpp"
#include "tokenctl/lookup.hpp"

namespace token_auth::tokenctl {
namespace {

// A row that cannot be shown can be deleted all the same.
std::string removed_json(registry::Writer& writer, const std::string& id) {
    try {
        const auto view = writer.token(id);
        return view ? json_of(*view, writer.now(), "removed") : "";
    } catch (const registry::SqlError&) {
        throw;
    } catch (const base::Error&) {
        return json_of_unreadable(id, "removed");
    }
}

int delete_tokens(const Context& context, const std::vector<std::string>& ids) {
    require_no_whole_tokens(ids);
    std::vector<Report> reports;
    context.open(registry::Access::write).write(context.author(), [&](registry::Writer& writer) {
        reports.clear();
        for (const std::string& id : ids) {
            reports.push_back({removed_json(writer, id), fmt::format("deleted token {}", id)});
            if (!writer.remove_token(id)) {
                throw no_token(writer, id);
            }
        }
    });
    return finish(context, reports);
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
