// Lists in pages. A page begins behind a position, that of the last row before it in the order of
// the list: rows that come or go meanwhile make no other one appear twice or be left out, and an
// index leads to each page, however far behind it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "registry/reader.hpp"
#include "registry/usage.hpp"

namespace token_auth::registry {

// What rows are ordered by, of one row.
using PageKey = std::vector<std::variant<std::monostate, std::int64_t, std::string>>;

template <typename T>
struct Page {
    std::vector<T> items;
    std::optional<PageKey> next;  // behind which the next page begins; none: this is the last one
};

// From where on, and how many at most.
struct PageRange {
    std::optional<PageKey> after;
    std::size_t limit = 0;
};

// The status that the HTTP API tells, which knows no word for a disabled person: the first that
// holds of revoked (or that), expired, suspended, pending, active.
std::string_view told_status(const TokenView& view, std::int64_t now);
inline constexpr const char* told_statuses[] = {"revoked", "expired", "suspended", "pending",
                                                "active"};

enum class TokenOrder {
    newest,  // keys: time, id
    oldest,  // time, id
    name,    // name, id
    expiry,  // time, id; those that never expire last
};

// Which tokens; empty members do not count.
struct TokenListing {
    // Personal ones of a person, or those of an organization, or of one of its groups.
    std::string owner;
    std::string organization;
    std::string group;
    bool with_groups = false;  // those of the organization's groups, too
    TokenOrder order = TokenOrder::newest;
    std::string begin;   // of the id or the name
    std::string status;  // one of told_statuses
    std::string role;
    std::string created_by;
    // Which expire from now until then. As below, revoked and expired ones only if `status` asks
    // for them.
    std::int64_t expires_until = 0;
    // Which were there, and not used, from then on.
    std::int64_t unused_since = 0;
};
// Tells when tokens were used last (usage.hpp); only for `unused_since`.
using UsesOf = std::function<TokenUses(const std::vector<std::string>& ids)>;
// For `unused_since`, a page may have fewer tokens than it could, or none, and others follow: so
// much is looked at for a page, and no more.
Page<TokenView> token_page(Reader& reader, const TokenListing& listing, const PageRange& range,
                           std::int64_t now, const UsesOf& uses_of);

// Newest first. Keys: time, id. With `among`, only these.
Page<Organization> organization_page(Reader& reader, const std::string& begin,
                                     const std::optional<std::vector<std::string>>& among,
                                     const PageRange& range);
Page<Group> group_page(Reader& reader, const std::string& organization,
                       const std::optional<std::vector<std::string>>& among,
                       const PageRange& range);

// A membership, with the person's name.
struct Member {
    Membership membership;
    std::string display_name;
};
struct MemberListing {
    std::string organization;
    std::string group;         // of it; empty: the organization itself
    bool with_groups = false;  // and its groups
    std::string begin;         // of the person's id or name
};
// Newest first. Keys: time, user, group.
Page<Member> member_page(Reader& reader, const MemberListing& listing, const PageRange& range);

}  // namespace token_auth::registry
