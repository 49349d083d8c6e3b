// Roles, and the catalogue of scopes, for the system.
#include <utility>

#include "base/json.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/shapes.hpp"
#include "tokenapi/system_call.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::Role;
using registry::ScopeEntry;
using registry::SystemReader;
using registry::SystemWriter;

constexpr std::size_t list_max = 4096;  // scopes of a role, entries of the catalogue

base::Json role_json(const Role& role) {
    return {{"id", role.id}, {"description", role.description}, {"scopes", role.scopes}};
}

std::string tag_of(const Role& role) {
    return entity_tag(base::json_text(role_json(role)));
}

// Of what is not there, no tag matches.
void require_match(const Request& request, const std::optional<Role>& before) {
    if (before) {
        require_match(request, tag_of(*before));
    } else if (!request.values("If-Match").empty()) {
        throw Problem(ProblemCode::changed_meanwhile);
    }
}

Role read_role(FieldReader& fields, const std::string& id) {
    Role role;
    role.id = id;
    role.scopes = registry::canonical(
        fields.texts("scopes", list_max, scope_max, scope_problem, false, Presence::required)
            .value.value_or(std::vector<std::string>()));
    role.description = fields.text("description", registry::description_max).value.value_or("");
    return role;
}

base::Json catalogue_json(const std::vector<ScopeEntry>& entries) {
    base::Json items = base::Json::array();
    for (const ScopeEntry& each : entries) {
        items.push_back({{"scope", each.scope}, {"description", each.description}});
    }
    return {{"items", std::move(items)}};
}

std::vector<ScopeEntry> read_catalogue(FieldReader& fields) {
    std::vector<ScopeEntry> entries;
    for (FieldReader* const item : fields.objects("items", list_max)) {
        ScopeEntry entry;
        entry.scope =
            item->text("scope", scope_max, scope_problem, Presence::required).value.value_or("");
        entry.description =
            item->text("description", registry::description_max, nullptr, Presence::required)
                .value.value_or("");
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace

Step list_roles(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    parameters.finish();
    const registry::PageRange range = paging.range("t");
    base::Json items;
    std::optional<registry::PageKey> next;
    read_system(call, [&](SystemReader& reader) {
        auto page = reader.role_page(range);
        items = base::Json::array();
        for (const Role& each : page.items) {
            items.push_back(role_json(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

Step get_role(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_system(call, [&](SystemReader& reader) {
        response = tagged_response(200, role_json(reader.role(call.argument("role"))));
    });
    return response;
}

Step put_role(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("role");
    Response response;
    write_system(call, [&](SystemWriter& writer) {
        const std::optional<Role> before = writer.role_to_put(id);
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const Role role = read_role(fields, id);
        run_with(fields, [&] { writer.put_role(role); });
        require_match(call.request, before);
        response = before ? tagged_response(200, role_json(role))
                          : tagged_response(201, role_json(role), "/api/v1/roles/" + id);
    });
    return response;
}

Step delete_role(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("role");
    write_system(call, [&](SystemWriter& writer) {
        require_match(call.request, tag_of(writer.role(id)));
        writer.remove_role(id);
    });
    return no_content();
}

Step get_scopes(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_system(call, [&](SystemReader& reader) {
        response = tagged_response(200, catalogue_json(reader.scopes()));
    });
    return response;
}

Step put_scopes(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    write_system(call, [&](SystemWriter& writer) {
        const base::Json before = catalogue_json(writer.scopes());
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const std::vector<ScopeEntry> entries = read_catalogue(fields);
        run_with(fields, [&] { writer.put_scopes(entries); });
        require_match(call.request, entity_tag(base::json_text(before)));
        response = tagged_response(200, catalogue_json(writer.scopes()));
    });
    return response;
}

}  // namespace token_auth::tokenapi
