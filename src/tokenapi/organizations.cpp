// Organizations, with their policy.
#include "base/json.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/shapes.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::GuardedReader;
using registry::GuardedWriter;
using registry::OrganizationChange;

// A life of a policy, 0 if it is taken off.
void read_life(FieldReader& policy, const char* name, std::optional<std::int64_t>& into) {
    const auto field = policy.duration(name);
    if (field.value == 0) {
        policy.wrong(name, "must be at least a second");
    }
    if (field.given) {
        into = field.value.value_or(0);
    }
}

void read_policy(FieldReader& fields, const base::Json& body, OrganizationChange& change) {
    const auto given = body.find("policy");
    if (given != body.end() && given->is_null()) {
        change.max_life = change.default_life = change.max_tokens = 0;
        change.require_allow = false;
    }
    FieldReader* const policy = fields.object("policy", Presence::optional);
    if (policy == nullptr) {
        return;
    }
    read_life(*policy, "max_life", change.max_life);
    read_life(*policy, "default_life", change.default_life);
    const auto allow = policy->boolean("require_allow", Presence::optional);
    if (allow.given) {
        change.require_allow = allow.value.value_or(false);
    }
    const auto tokens = policy->integer("max_tokens", 1, registry::max_tokens_max);
    if (tokens.given) {
        change.max_tokens = tokens.value.value_or(0);
    }
}

OrganizationChange read_change(FieldReader& fields, const base::Json& body) {
    OrganizationChange change;
    const auto name = fields.text("display_name", name_max, display_text_problem);
    if (name.given) {
        change.display_name = name.value.value_or("");
    }
    read_policy(fields, body, change);
    return change;
}

std::string tag_of(const registry::Organization& organization) {
    return entity_tag(base::json_text(organization_json(organization)));
}

}  // namespace

Step list_organizations(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    const std::string begin = parameters.text("q", query_max).value_or("");
    parameters.finish();
    const registry::PageRange range = paging.range("it");
    base::Json items = base::Json::array();
    std::optional<registry::PageKey> next;
    read_guarded(call, [&](GuardedReader& reader) {
        auto page = reader.organization_page(begin, range);
        for (const registry::Organization& each : page.items) {
            items.push_back(organization_json(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

Step create_organization(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const auto id = fields.text("id", identifier_max, identifier_problem, Presence::required);
        const OrganizationChange change = read_change(fields, body);
        registry::Organization made;
        run_with(fields, [&] { made = writer.add_organization(id.value.value_or(""), change); });
        response = tagged_response(201, organization_json(made), path_of({made.id, {}}));
    });
    return response;
}

Step get_organization(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_guarded(call, [&](GuardedReader& reader) {
        response =
            tagged_response(200, organization_json(reader.organization(call.argument("org"))));
    });
    return response;
}

Step update_organization(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("org");
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const registry::Organization before = writer.organization(id);
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        OrganizationChange change = read_change(fields, body);
        change.suspended = fields.boolean("suspended").value;
        registry::Organization after;
        run_with(fields, [&] { after = writer.change_organization(id, change); });
        require_match(call.request, tag_of(before));
        response = tagged_response(200, organization_json(after));
    });
    return response;
}

Step delete_organization(Call& call) {
    ParameterReader parameters(call.parameters);
    const bool force = parameters.boolean("force");
    parameters.finish();
    const std::string& id = call.argument("org");
    write_guarded(call, [&](GuardedWriter& writer) {
        const registry::Organization before = writer.organization(id);
        writer.remove_organization(id, force);
        require_match(call.request, tag_of(before));
    });
    return no_content();
}

}  // namespace token_auth::tokenapi
