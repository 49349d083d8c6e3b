#include "registry/system_pages.hpp"

#include "registry/page_query.hpp"
#include "registry/rows.hpp"

namespace token_auth::registry {

Page<Person> person_page(Reader& reader, const std::string& begin, const PageRange& range) {
    const std::vector<std::string> columns{"created_at", "id"};
    PageQuery query;
    query.where("technical = 0");
    query.where_begins({"id", "display_name"}, begin);
    query.where_behind(columns, range.after, "<");
    // The page first: of its few people only, whether they have a password.
    const std::string select = fmt::format(
        "SELECT page.*, (SELECT count(*) FROM passwords p WHERE p.user_id = page.id) "
        "FROM ({}{}) AS page ORDER BY created_at DESC, id DESC",
        select_users, query.rest(columns, true, range.limit + 1));
    auto items =
        rows_as<Person>(reader.session().query(select, query.values()), [](const Rows& row) {
            return Person{user_of(row), row.integer(7) != 0};
        });
    return cut(std::move(items), range.limit, [](const Person& last) {
        return PageKey{last.user.created, last.user.id};
    });
}

Page<Role> role_page(Reader& reader, const PageRange& range) {
    PageQuery query;
    query.where_behind({"id"}, range.after, ">");
    const std::string select =
        fmt::format("{}{}", select_roles, query.rest({"id"}, false, range.limit + 1));
    return cut(rows_as<Role>(reader.session().query(select, query.values()), role_of), range.limit,
               [](const Role& last) { return PageKey{last.id}; });
}

namespace {

// Acts by this server, whatever names tools give themselves.
void where_own(PageQuery& query, const AuditListing& listing) {
    if (!listing.own_user.empty()) {
        query.where("via IN ('session', 'token', 'auth_token')");
        query.where("actor =", listing.own_user);
    }
    if (!listing.own_token.empty()) {
        query.where("token <> ''");
        query.where("token =", listing.own_token);
    }
}

void where_listed(PageQuery& query, const AuditListing& listing) {
    if (!listing.organization.empty()) {
        query.where("organization <> ''");  // as the index has it
        query.where("organization =", listing.organization);
    }
    if (!listing.group.empty()) {
        query.where("group_id =", listing.group);
    }
    if (!listing.token.empty()) {
        query.where(
            fmt::format("((token <> '' AND token = {0}) OR (entity = 'token' AND key = {0}))",
                        query.value(listing.token)));
    }
    if (!listing.actor.empty()) {
        query.where("actor =", listing.actor);
    }
    if (listing.since != 0) {
        query.where(fmt::format("at >= {}", query.value(listing.since)));
    }
    if (listing.until != 0) {
        query.where(fmt::format("at < {}", query.value(listing.until)));
    }
}

}  // namespace

Page<AuditRow> audit_page(Reader& reader, const AuditListing& listing, const PageRange& range) {
    PageQuery query;
    where_own(query, listing);
    where_listed(query, listing);
    query.where_behind({"seq"}, range.after, "<");
    const std::string select = fmt::format("SELECT {} FROM audit{}", audit_columns,
                                           query.rest({"seq"}, true, range.limit + 1));
    return cut(rows_as<AuditRow>(reader.session().query(select, query.values()), audit_row_of),
               range.limit, [](const AuditRow& last) { return PageKey{last.seq}; });
}

}  // namespace token_auth::registry
