// The audit trail.
#include <utility>

#include "base/json.hpp"
#include "base/time.hpp"
#include "token_auth/record.hpp"
#include "tokenapi/checks.hpp"
#include "tokenapi/fields.hpp"
#include "tokenapi/operations.hpp"
#include "tokenapi/paging.hpp"
#include "tokenapi/system_call.hpp"

namespace token_auth::tokenapi {
namespace {

using registry::AuditListing;
using registry::AuditRow;

constexpr std::size_t time_text_max = 64;

// What a tool or a statement wrote may be something else.
base::Json object_of(const std::string& text) {
    base::Json value = base::Json::parse(text, nullptr, false);
    return value.is_object() ? value : base::Json::object();
}

base::Json row_json(const AuditRow& row) {
    return {{"id", row.seq},
            {"at", base::format_time(row.at)},
            {"actor", row.actor},
            {"via", text_or_null(row.via)},
            {"token", text_or_null(row.token)},
            {"address", text_or_null(row.address)},
            {"action", row.action},
            {"entity", row.entity},
            {"key", row.key},
            {"organization", text_or_null(row.organization)},
            {"group", text_or_null(row.group)},
            {"detail", object_of(row.detail)}};
}

const char* actor_problem(std::string_view text) {
    return text.empty() ? "must not be empty" : nullptr;
}

// A time, or a duration that counts back from now; 0 if it is left out.
std::int64_t past(ParameterReader& parameters, const char* name) {
    const auto text = parameters.text(name, time_text_max);
    if (!text) {
        return 0;
    }
    if (const auto duration = base::parse_duration(*text)) {
        return base::now() - *duration;
    }
    const auto time = base::parse_time(*text);
    if (!time) {
        parameters.wrong(name, std::string("must be ") + base::time_forms + " or 90d");
    }
    return time.value_or(0);
}

AuditListing read_listing(ParameterReader& parameters) {
    AuditListing listing;
    const auto identifier = [&](const char* name) {
        return parameters.text(name, identifier_max, identifier_problem).value_or("");
    };
    listing.organization = identifier("organization");
    listing.group = identifier("group");
    listing.token = identifier("token");
    listing.actor = parameters.text("actor", registry::actor_max, actor_problem).value_or("");
    listing.since = past(parameters, "since");
    listing.until = past(parameters, "until");
    if (!listing.group.empty() && listing.organization.empty()) {
        parameters.wrong("group", "needs organization");
    }
    return listing;
}

}  // namespace

Step list_audit(Call& call) {
    ParameterReader parameters(call.parameters);
    const Paging paging(call, parameters);
    const AuditListing listing = read_listing(parameters);
    parameters.finish();
    const registry::PageRange range = paging.range("i");
    base::Json items;
    std::optional<registry::PageKey> next;
    read_system(call, [&](registry::SystemReader& reader) {
        auto page = reader.audit_page(listing, range);
        items = base::Json::array();
        for (const AuditRow& each : page.items) {
            items.push_back(row_json(each));
        }
        next = std::move(page.next);
    });
    return paging.response(items, next);
}

}  // namespace token_auth::tokenapi
