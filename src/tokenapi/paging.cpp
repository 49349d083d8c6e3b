#include "tokenapi/paging.hpp"

#include <map>

#include "base/json.hpp"
#include "tokenapi/cursor.hpp"
#include "tokenapi/limits.hpp"

namespace token_auth::tokenapi {
namespace {

// Operation, arguments and parameters, each by itself whatever is in them.
std::string list_name(const Call& call) {
    std::map<std::string, std::string> names;
    for (const Parameter& each : call.parameters) {
        if (each.name != "limit" && each.name != "cursor") {
            names.emplace(each.name, each.value);
        }
    }
    return base::json_text(base::Json::array({call.route->operation, call.arguments, names}));
}

}  // namespace

Paging::Paging(const Call& call, ParameterReader& parameters)
    : list_(list_name(call)),
      limit_(static_cast<std::size_t>(
          parameters.integer("limit", 1, limits::page_max).value_or(limits::page_default))),
      cursor_(parameters.text("cursor", limits::cursor_size)) {}

registry::PageRange Paging::range(std::string_view kinds) const {
    registry::PageRange range{std::nullopt, limit_};
    if (cursor_) {
        range.after = decode_cursor(list_, kinds, *cursor_);
    }
    return range;
}

Response Paging::response(const base::Json& items,
                          const std::optional<registry::PageKey>& next) const {
    return text_response(base::json_text(items), next);
}

Response Paging::text_response(const std::string& items,
                               const std::optional<registry::PageKey>& next) const {
    std::string text = R"({"items":)" + items + R"(,"next_cursor":)";
    if (next) {
        base::append_json(text, encode_cursor(list_, *next));
    } else {
        text += "null";
    }
    return json_text_response(200, text + "}");
}

}  // namespace token_auth::tokenapi
