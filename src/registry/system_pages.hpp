// Lists of what is the system's, and the audit trail, in pages; see pages.hpp.
#pragma once

#include <cstdint>
#include <string>

#include "registry/pages.hpp"

namespace token_auth::registry {

// A person who may log in, as the system sees them.
struct Person {
    User user;
    bool has_password = false;
};

// Newest first; technical users are not among them. Keys: time, id. `begin`: of the id or the name.
Page<Person> person_page(Reader& reader, const std::string& begin, const PageRange& range);
// In the order of their ids, which are the keys.
Page<Role> role_page(Reader& reader, const PageRange& range);

// Which rows of the audit trail; empty members do not count.
struct AuditListing {
    std::string organization;  // and its groups
    std::string group;
    std::string token;  // what was done to it, or by it
    std::string actor;
    std::int64_t since = 0;
    std::int64_t until = 0;  // before then
    // Only acts that went by this server, of this user or by this token: names that tools give
    // prove nothing.
    std::string own_user;
    std::string own_token;
};
// Newest first. Keys: number.
Page<AuditRow> audit_page(Reader& reader, const AuditListing& listing, const PageRange& range);

}  // namespace token_auth::registry
