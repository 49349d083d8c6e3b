#include "registry/pages.hpp"

#include <fmt/format.h>

#include <utility>

#include "registry/page_query.hpp"
#include "registry/rows.hpp"
#include "registry/token_columns.hpp"

namespace token_auth::registry {
namespace {

// Tokens.

constexpr std::int64_t never = INT64_MAX;
// As the index tokens_listed_expires has it.
constexpr const char* expiry_column =
    "(CASE WHEN t.expires_at = 0 THEN 9223372036854775807 ELSE t.expires_at END)";

std::vector<std::string> order_columns(TokenOrder order) {
    switch (order) {
        case TokenOrder::name:
            return {"t.name", "t.id"};
        case TokenOrder::expiry:
            return {expiry_column, "t.id"};
        case TokenOrder::newest:
        case TokenOrder::oldest:
            break;
    }
    return {"t.created_at", "t.id"};
}

PageKey key_of(const Token& token, TokenOrder order) {
    switch (order) {
        case TokenOrder::name:
            return {token.name, token.id};
        case TokenOrder::expiry:
            return {token.expires == 0 ? never : token.expires, token.id};
        case TokenOrder::newest:
        case TokenOrder::oldest:
            break;
    }
    return {token.created, token.id};
}

void where_placed(PageQuery& query, const TokenListing& listing) {
    if (!listing.owner.empty()) {
        query.where("t.kind = 'user' AND t.user_id =", listing.owner);
        return;
    }
    query.where("t.organization =", listing.organization);
    if (!listing.group.empty()) {
        query.where("t.group_id =", listing.group);
    } else if (!listing.with_groups) {
        query.where("t.group_id IS NULL");
    }
}

// As told_status() decides, in words that each concern the tokens alone, so that an index leads to
// the rows and nothing is joined but what the page shows. `now` and `organization` are values'
// places.
struct StatusWords {
    // Few rows, each with an index of its own.
    static constexpr std::string_view disabled =
        "t.user_id IN (SELECT id FROM users WHERE disabled = 1)";
    static constexpr std::string_view revoked = "t.revoked_at <> 0";

    static std::string expired(const std::string& now) {
        return fmt::format("t.expires_at <> 0 AND {} <= {}", expiry_column, now);
    }
    static std::string suspended(const std::string& organization) {
        return fmt::format("EXISTS (SELECT 1 FROM organizations WHERE id = {} AND suspended <> 0)",
                           organization);
    }
};

void where_status(PageQuery& query, const TokenListing& listing, std::int64_t now_time) {
    const std::string_view status = listing.status;
    if (status == "revoked") {
        return;  // token_page() does it
    }
    query.where(fmt::format("t.revoked_at = 0 AND NOT {}", StatusWords::disabled));
    const std::string now = query.value(now_time);
    if (status == "expired") {
        query.where(StatusWords::expired(now));
        return;
    }
    query.where(fmt::format("{} > {}", expiry_column, now));
    if (status.empty()) {
        return;  // lives, whatever else
    }
    const std::string suspended = StatusWords::suspended(query.value(listing.organization));
    query.where(status == "suspended" ? suspended : "NOT " + suspended);
    if (status == "pending") {
        query.where(fmt::format("t.not_before <> 0 AND t.not_before > {}", now));
    } else if (status == "active") {
        query.where(fmt::format("t.not_before <= {}", now));
    }
}

void where_listed(PageQuery& query, const TokenListing& listing, std::int64_t now) {
    where_placed(query, listing);
    query.where_begins({"t.id", "t.name"}, listing.begin);
    if (!listing.role.empty()) {
        query.where("t.role =", listing.role);
    }
    if (!listing.created_by.empty()) {
        query.where("t.created_by =", listing.created_by);
    }
    if (!listing.status.empty() || listing.expires_until != 0 || listing.unused_since != 0) {
        where_status(query, listing, now);
    }
    if (listing.expires_until != 0) {
        query.where(fmt::format("{0} > {1} AND {0} <= {2}", expiry_column, query.value(now),
                                query.value(listing.expires_until)));
    }
    if (listing.unused_since != 0) {
        const std::string since = query.value(listing.unused_since);
        query.where(fmt::format("t.created_at < {0} AND t.not_before < {0}", since));
    }
}

// Those that expire in some days, or have expired, are old ones: an index by their age would lead
// past all newer tokens of the organization first, which no engine foresees. If there are no more
// than so many, it is quicker to sort them.
constexpr int sorted_max = 30000;

bool is_to_sort(Session& session, const TokenListing& listing, std::int64_t now) {
    const bool expired = listing.status == "expired";
    if (listing.organization.empty() || listing.order == TokenOrder::expiry ||
        (!expired && listing.expires_until == 0)) {
        return false;
    }
    const auto one_too_many = session.query(
        fmt::format("SELECT 1 FROM tokens t WHERE t.organization = $1 AND {0} > $2 AND {0} <= $3 "
                    "ORDER BY {0} LIMIT 1 OFFSET {1}",
                    expiry_column, sorted_max),
        {listing.organization, expired ? 0 : now, expired ? now : listing.expires_until});
    return !one_too_many->next();
}

// The same order by what no index has.
std::vector<std::string> without_index(std::vector<std::string> columns, TokenOrder order) {
    columns.front() += order == TokenOrder::name ? " || ''" : " + 0";
    return columns;
}

// As select_tokens(), but nothing is joined: whatever the plan, what is not the token's is looked
// up for the page's rows alone. In PostgreSQL, where a token has its user, in the index of the few
// that are disabled.
std::string page_select(Engine engine, PageQuery& query, const TokenListing& listing) {
    const std::string_view disabled =
        engine == Engine::postgresql
            ? "(EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id AND u.disabled = 1))::int"
            : "CASE WHEN (SELECT u.disabled FROM users u WHERE u.id = t.user_id) = 0 THEN 0 ELSE 1 "
              "END";
    return fmt::format(
        "SELECT {}, {}, (SELECT o.suspended FROM organizations o WHERE o.id = {}) FROM tokens t",
        select_list(TokenPart::whole), disabled, query.value(listing.organization));
}

// The SELECT of a page's tokens, of which `more` is true.
std::string select_listed(Session& session, PageQuery& query, const TokenListing& listing,
                          const PageRange& range, std::int64_t now, std::string_view more = {}) {
    const bool descending = listing.order == TokenOrder::newest;
    std::vector<std::string> columns = order_columns(listing.order);
    if (is_to_sort(session, listing, now)) {
        columns = without_index(std::move(columns), listing.order);
    }
    where_listed(query, listing, now);
    if (!more.empty()) {
        query.where(std::string(more));
    }
    query.where_behind(columns, range.after, descending ? "<" : ">");
    return page_select(session.engine(), query, listing) +
           query.rest(columns, descending, range.limit + 1);
}

// Whether nothing but the place and the order decides which tokens are listed: those of an index,
// one after the other.
bool is_in_order(const TokenListing& listing) {
    return !listing.organization.empty() && listing.begin.empty() && listing.status.empty() &&
           listing.role.empty() && listing.created_by.empty() && listing.expires_until == 0 &&
           listing.unused_since == 0 &&
           (listing.group.empty() || listing.order == TokenOrder::newest ||
            listing.order == TokenOrder::oldest);
}

Page<TokenView> token_page(Reader& reader, const TokenListing& listing, const PageRange& range,
                           std::int64_t now) {
    Session& session = reader.session();
    PageQuery query;
    std::string select;
    if (listing.status == "revoked") {
        const std::string by_person = fmt::format("t.revoked_at = 0 AND {}", StatusWords::disabled);
        select = fmt::format(
            "SELECT * FROM (SELECT * FROM ({}) AS a UNION ALL SELECT * FROM ({}) AS b) AS t",
            select_listed(session, query, listing, range, now, StatusWords::revoked),
            select_listed(session, query, listing, range, now, by_person));
        select += query.rest(order_columns(listing.order), listing.order == TokenOrder::newest,
                             range.limit + 1);
    } else {
        select = select_listed(session, query, listing, range, now);
    }
    auto items =
        rows_as<TokenView>(is_in_order(listing) ? session.query_in_order(select, query.values())
                                                : session.query(select, query.values()),
                           [&](const Rows& row) { return view_of(row, session.location()); });
    return cut(std::move(items), range.limit,
               [&](const TokenView& last) { return key_of(last.token, listing.order); });
}

// Uses stand in another database than SQLite's tokens.
constexpr std::size_t looked_at_together = 500;
constexpr int looks_max = 20;

std::vector<TokenView> drop_used(std::vector<TokenView> views, std::int64_t since,
                                 const UsesOf& uses_of) {
    std::vector<std::string> ids;
    for (const TokenView& view : views) {
        ids.push_back(view.token.id);
    }
    const TokenUses uses = uses_of(ids);
    std::erase_if(views, [&](const TokenView& view) {
        const auto use = uses.find(view.token.id);
        return use != uses.end() && use->second.time >= since;
    });
    return views;
}

// Newest first.
template <typename T, typename Make>
Page<T> newest(Reader& reader, PageQuery& query, std::string_view select, const PageRange& range,
               const Make& make) {
    const std::vector<std::string> columns{"created_at", "id"};
    query.where_behind(columns, range.after, "<");
    auto items =
        rows_as<T>(reader.session().query(
                       fmt::format("{}{}", select, query.rest(columns, true, range.limit + 1)),
                       query.values()),
                   make);
    return cut(std::move(items), range.limit, [](const T& last) {
        return PageKey{last.created, last.id};
    });
}

// Members.

// Those of groups, or of organizations, whose group is the empty one: `group` of the key decides
// whether the person's own membership is still to come.
std::string select_members(PageQuery& query, bool of_groups, const MemberListing& listing,
                           const PageRange& range) {
    query.where("m.organization =", listing.organization);
    if (!listing.group.empty()) {
        query.where("m.group_id =", listing.group);
    }
    query.where_begins({"m.user_id", "u.display_name"}, listing.begin);
    std::vector<std::string> columns{"m.created_at", "m.user_id"};
    if (of_groups) {
        columns.emplace_back("m.group_id");
        query.where_behind(columns, range.after, "<");
    } else if (range.after) {
        const PageKey& key = *range.after;
        query.where_behind(columns, PageKey{key[0], key[1]},
                           std::get<std::string>(key[2]).empty() ? "<" : "<=");
    }
    return fmt::format(
        "SELECT m.user_id, m.organization, m.role, m.created_at, {} AS group_id, u.display_name "
        "FROM {} m JOIN users u ON u.id = m.user_id{}",
        of_groups ? "m.group_id" : "''", of_groups ? "group_memberships" : "memberships",
        query.rest(columns, true, range.limit + 1));
}

}  // namespace

std::string_view told_status(const TokenView& view, std::int64_t now) {
    const Token& token = view.token;
    if (token.revoked != 0 || token.user_disabled) {
        return "revoked";
    }
    if (token.expires != 0 && token.expires <= now) {
        return "expired";
    }
    if (view.organization_suspended) {
        return "suspended";
    }
    return token.not_before > now ? "pending" : "active";
}

Page<TokenView> token_page(Reader& reader, const TokenListing& listing, const PageRange& range,
                           std::int64_t now, const UsesOf& uses_of) {
    if (listing.unused_since == 0) {
        return token_page(reader, listing, range, now);
    }
    Page<TokenView> page;
    PageRange rest = range;
    rest.limit = looked_at_together;
    for (int looks = 0; looks < looks_max; ++looks) {
        Page<TokenView> more = token_page(reader, listing, rest, now);
        for (TokenView& view : drop_used(std::move(more.items), listing.unused_since, uses_of)) {
            page.items.push_back(std::move(view));
            if (page.items.size() > range.limit) {
                page.items.pop_back();
                page.next = key_of(page.items.back().token, listing.order);
                return page;
            }
        }
        page.next = rest.after = more.next;
        if (!more.next) {
            break;
        }
    }
    return page;
}

Page<Organization> organization_page(Reader& reader, const std::string& begin,
                                     const std::optional<std::vector<std::string>>& among,
                                     const PageRange& range) {
    PageQuery query;
    query.where_among(reader.session(), "id", among);
    query.where_begins({"id", "display_name"}, begin);
    return newest<Organization>(reader, query, select_organizations, range, organization_of);
}

Page<Group> group_page(Reader& reader, const std::string& organization,
                       const std::optional<std::vector<std::string>>& among,
                       const PageRange& range) {
    PageQuery query;
    query.where("organization =", organization);
    query.where_among(reader.session(), "id", among);
    return newest<Group>(reader, query, select_groups, range, group_of);
}

Page<Member> member_page(Reader& reader, const MemberListing& listing, const PageRange& range) {
    PageQuery query;
    std::string select = select_members(query, !listing.group.empty(), listing, range);
    if (listing.with_groups) {
        const std::string of_groups = select_members(query, true, listing, range);
        select = fmt::format(
            "SELECT * FROM ({}) AS a UNION ALL SELECT * FROM ({}) AS b "
            "ORDER BY 4 DESC, 1 DESC, 5 DESC LIMIT {}",
            select, of_groups, range.limit + 1);
    }
    auto items =
        rows_as<Member>(reader.session().query(select, query.values()), [](const Rows& row) {
            return Member{membership_of(row), std::string(row.text(5))};
        });
    return cut(std::move(items), range.limit, [](const Member& last) {
        const Membership& key = last.membership;
        return PageKey{key.created, key.user, key.group};
    });
}

}  // namespace token_auth::registry
