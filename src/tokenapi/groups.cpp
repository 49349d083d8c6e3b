// Groups of an organization.
#include "base/json.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/shapes.hpp"

namespace token_auth::tokenapi {

using registry::GuardedReader;
using registry::GuardedWriter;

Step list_groups(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    parameters.finish();
    const registry::PageRange range = paging.range("it");
    base::Json items = base::Json::array();
    std::optional<registry::PageKey> next;
    read_guarded(call, [&](GuardedReader& reader) {
        auto page = reader.group_page(call.argument("org"), range);
        for (const registry::Group& each : page.items) {
            items.push_back(group_json(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

Step create_group(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const auto id = fields.text("id", identifier_max, identifier_problem, Presence::required);
        const registry::PlaceName place{call.argument("org"), id.value.value_or("")};
        registry::Group made;
        run_with(fields, [&] { made = writer.add_group(place); });
        response = json_response(201, group_json(made));
        response.headers.emplace_back("Location", path_of(place));
    });
    return response;
}

Step get_group(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_guarded(call, [&](GuardedReader& reader) {
        response = json_response(200, group_json(reader.group(place_of(call))));
    });
    return response;
}

Step delete_group(Call& call) {
    ParameterReader parameters(call.parameters);
    const bool force = parameters.boolean("force");
    parameters.finish();
    write_guarded(call, [&](GuardedWriter& writer) { writer.remove_group(place_of(call), force); });
    return no_content();
}

}  // namespace token_auth::tokenapi
