#include "registry/importer.hpp"

#include <fmt/format.h>

#include <variant>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/redact.hpp"
#include "registry/jsonl.hpp"

namespace token_auth::registry {

ImportCounts import_lines(Registry& registry, const Author& author, std::istream& input,
                          const std::string& name) {
    ImportCounts counts;
    registry.write(author, [&](Writer& writer) {
        JsonlReader reader(input, name);
        while (auto entity = reader.next()) {
            const auto put = [&](auto& value) { return writer.put(std::move(value)); };
            try {
                switch (std::visit(put, *entity)) {
                    case Outcome::added:
                        ++counts.added;
                        break;
                    case Outcome::updated:
                        ++counts.updated;
                        break;
                    case Outcome::unchanged:
                        ++counts.unchanged;
                        break;
                }
            } catch (const base::Error& error) {
                throw base::Error(fmt::format("{}: {}", reader.place(), error.what()));
            }
        }
        if (const auto idle = writer.idle_technical_user()) {
            throw base::Error(fmt::format(
                "{}: no token acts for technical user {}; leave the user out, or add its token",
                name, base::quoted(*idle)));
        }
    });
    return counts;
}

void export_lines(Registry& registry, const std::function<void(const std::string&)>& each) {
    const auto give = [&](const auto& entity) { each(base::json_line(to_json(entity))); };
    registry.read([&](Reader& reader) {
        reader.roles(give);
        reader.organizations(give);
        reader.groups({}, give);
        reader.users(give);
        reader.memberships({}, {}, give);
        reader.tokens({}, [&](const TokenView& view) { give(view.token); });
    });
}

}  // namespace token_auth::registry
