// Tokens that are there: lists, changes, rotation.
#include <algorithm>
#include <iterator>
#include <memory>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/rotation.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/conditional.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/guarded_call.hpp"
#include "tokenapi/json_body.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/places.hpp"
#include "tokenapi/registry_connection.hpp"
#include "tokenapi/settings.hpp"
#include "tokenapi/shapes.hpp"
#include "tokenapi/token_fields.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::GuardedReader;
using registry::GuardedWriter;
using registry::TokenOrder;

const char* status_problem(std::string_view text) {
    const bool known =
        std::find(std::begin(registry::told_statuses), std::end(registry::told_statuses), text) !=
        std::end(registry::told_statuses);
    return known ? nullptr : "must be one of revoked, expired, suspended, pending, active";
}

TokenOrder read_order(ParameterReader& parameters) {
    const std::string sort = parameters.one_of("sort", {"-created", "created", "name", "expires"});
    return sort == "created"   ? TokenOrder::oldest
           : sort == "name"    ? TokenOrder::name
           : sort == "expires" ? TokenOrder::expiry
                               : TokenOrder::newest;
}

registry::TokenListing read_listing(const Call& call, ParameterReader& parameters,
                                    std::int64_t now) {
    registry::TokenListing listing;
    const registry::PlaceName place = place_of(call);
    listing.organization = place.organization;
    listing.group = place.group;
    listing.order = read_order(parameters);
    listing.begin = parameters.text("q", query_max).value_or("");
    listing.status = parameters.text("status", query_max, status_problem).value_or("");
    if (!place.organization.empty()) {
        listing.role = parameters.text("role", identifier_max, identifier_problem).value_or("");
        listing.created_by = parameters.text("created_by", registry::actor_max).value_or("");
        listing.with_groups = place.group.empty() && includes_groups(parameters);
    }
    if (const auto expiring = parameters.duration("expiring")) {
        listing.expires_until = *expiring < base::time_max - now ? now + *expiring : base::time_max;
    }
    if (const auto unused = parameters.duration("unused")) {
        listing.unused_since = std::max<std::int64_t>(now - *unused, 1);
    }
    return listing;
}

std::string token_array(GuardedReader& reader, const std::vector<registry::TokenView>& tokens) {
    std::vector<std::string> ids;
    for (const registry::TokenView& each : tokens) {
        ids.push_back(each.token.id);
    }
    reader.expect_effective_scopes(tokens);
    const registry::TokenUses uses = reader.uses(ids);
    std::string text;
    for (const registry::TokenView& each : tokens) {
        text += text.empty() ? '[' : ',';
        append_token(text, reader, each, uses);
    }
    return text.empty() ? "[]" : text + "]";
}

// Kinds of the keys of an order (cursor.hpp).
std::string_view key_kinds(TokenOrder order) {
    return order == TokenOrder::name ? "tt" : "it";
}

// Of those that need no body; an object without fields will do.
void require_empty_body(const Call& call) {
    if (!call.request.body.empty()) {
        const base::Json body = parse_object(call.request.body);
        FieldReader(body).finish();
    }
}

Step change_lock(Call& call, registry::TokenView (GuardedWriter::*change)(const std::string&)) {
    ParameterReader(call.parameters).finish();
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const registry::TokenView view = (writer.*change)(call.argument("id"));
        require_empty_body(call);
        response = token_response(writer, view);
    });
    return response;
}

registry::Rotation read_rotation(FieldReader& fields, std::int64_t now) {
    registry::Rotation rotation;
    const auto grace = fields.duration("grace", Presence::optional_not_null);
    rotation.grace = grace.value.value_or(rotation.grace);
    const auto expires = fields.time("expires", now);
    if (expires.given) {
        rotation.expires = expires.value.value_or(0);
    }
    return rotation;
}

}  // namespace

Step list_tokens(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    const registry::TokenListing listing = read_listing(call, parameters, base::now());
    parameters.finish();
    const registry::PageRange range = paging.range(key_kinds(listing.order));
    std::string items;
    std::optional<registry::PageKey> next;
    read_guarded(call, [&](GuardedReader& reader) {
        auto page = reader.token_page(listing, range);
        items = token_array(reader, page.items);
        next = std::move(page.next);
    });
    if (listing.unused_since != 0) {
        require_uses(call);
    }
    return paging.text_response(items, next);
}

Step get_token(Call& call) {
    ParameterReader(call.parameters).finish();
    Response response;
    read_guarded(call, [&](GuardedReader& reader) {
        response = token_response(reader, reader.token(call.argument("id")));
    });
    return response;
}

Step update_token(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("id");
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        const registry::TokenView before = writer.token(id);
        const base::Json body = parse_object(call.request.body);
        FieldReader fields(body);
        const registry::TokenChange change = read_token_change(fields, writer.now());
        registry::TokenView after;
        run_with(fields, [&] { after = writer.change_token(id, change); });
        require_match(call.request, token_tag(before.token));
        response = token_response(writer, after);
    });
    return response;
}

Step delete_token(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("id");
    write_guarded(call, [&](GuardedWriter& writer) {
        const registry::TokenView before = writer.token(id);
        writer.delete_token(id);
        require_match(call.request, token_tag(before.token));
    });
    return no_content();
}

Step revoke_token(Call& call) {
    return change_lock(call, &GuardedWriter::revoke_token);
}

Step restore_token(Call& call) {
    return change_lock(call, &GuardedWriter::restore_token);
}

Step rotate_token(Call& call) {
    ParameterReader(call.parameters).finish();
    const std::string& id = call.argument("id");
    Response response;
    write_guarded(call, [&](GuardedWriter& writer) {
        registry::TokenView view = writer.token(id);
        const base::Json body =
            call.request.body.empty() ? base::Json::object() : parse_object(call.request.body);
        FieldReader fields(body);
        const registry::Rotation rotation = read_rotation(fields, writer.now());
        auto rotated = std::make_shared<registry::RotatedToken>();
        run_with(fields,
                 [&] { *rotated = writer.rotate_token(id, rotation, call.settings->digester()); });
        view.token = rotated->successor;
        response = new_token_response(writer, view, *rotated->text);
        rotated->text.reset();
        const auto undo = [rotated, author = writer.author()](RegistryConnection& registry) {
            registry.write(
                author, [&](registry::Writer& later) { registry::undo_rotation(later, *rotated); });
        };
        response.if_unsent = Undoing{rotated->successor.id, undo};
    });
    return response;
}

}  // namespace token_auth::tokenapi
