// Memberships in organizations and groups.
#include "base/json.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/shapes.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::GuardedReader;
using registry::GuardedWriter;

base::Json json_of(const registry::Member& member) {
    return member_json(member.membership, member.display_name);
}

std::string tag_of(const registry::Member& member) {
    return entity_tag(base::json_text(json_of(member)));
}

}  // namespace

Step list_members(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    const registry::PlaceName place = place_of(call);
    registry::MemberListing listing;
    listing.organization = place.organization;
    listing.group = place.group;
    listing.begin = parameters.text("q", query_max).value_or("");
    listing.with_groups = place.group.empty() && includes_groups(parameters);
    parameters.finish();
    const registry::PageRange range = paging.range("itt");
    base::Json items = base::Json::array();
    std::optional<registry::PageKey> next;
    read_guarded(call, [&](GuardedReader& reader) {
        auto page = reader.member_page(listing, range);
        for (const registry::Member& each : page.items) {
            items.push_back(json_of(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

Step get_member(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_guarded(call, [&](GuardedReader& reader) {
        response =
            tagged_response(200, json_of(reader.member(place_of(call), call.argument("user"))));
    });
    return response;
}

Step put_member(Call& call) {
    ParameterReader(call.parameters).finish();
    const registry::PlaceName place = place_of(call);
    const std::string& user = call.argument("user");
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const auto role =
            fields.text("role", identifier_max, identifier_problem, Presence::required);
        registry::PutMember put;
        run_with(fields, [&] { put = writer.put_member(place, user, role.value.value_or("")); });
        if (put.before) {
            require_match(call.request, tag_of(*put.before));
        } else if (!call.request.values("If-Match").empty()) {
            throw Problem(ProblemCode::changed_meanwhile);
        }
        const std::string location = path_of(place) + "/members/" + user;
        response = tagged_response(put.before ? 200 : 201, json_of(put.after),
                                   put.before ? std::string() : location);
    });
    return response;
}

Step remove_member(Call& call) {
    ParameterReader(call.parameters).finish();
    write_guarded(call, [&](GuardedWriter& writer) {
        const auto before = writer.remove_member(place_of(call), call.argument("user"));
        require_match(call.request, tag_of(before));
    });
    return no_content();
}

}  // namespace token_auth::tokenapi
