#include "token_auth/store.hpp"

namespace token_auth {

template <typename Record>
Lookup Snapshot::find(std::string_view key, Record& out, std::string_view* value) noexcept {
    std::string_view data;
    const Lookup found = store_.get(key, data);
    if (found != Lookup::found) {
        return found;
    }
    if (!decode(data, out)) {
        store_.explain("a record is damaged; remove the directory and run \"tokensync run\"");
        return Lookup::broken;
    }
    if (value != nullptr) {
        *value = data;
    }
    return Lookup::found;
}

Lookup Snapshot::token(const Digest& digest, TokenRecord& out, std::string_view* value) noexcept {
    KeyBuffer buffer;
    return find(token_key(digest, buffer), out, value);
}

Lookup Snapshot::organization(std::string_view id, OrganizationRecord& out) noexcept {
    KeyBuffer buffer;
    return find(organization_key(id, buffer), out);
}

Lookup Snapshot::user(std::string_view id, UserRecord& out) noexcept {
    KeyBuffer buffer;
    return find(user_key(id, buffer), out);
}

Lookup Snapshot::membership(std::string_view user, std::string_view organization,
                            MembershipRecord& out) noexcept {
    KeyBuffer buffer;
    return find(membership_key(user, organization, buffer), out);
}

Lookup Snapshot::role(std::string_view id, RoleRecord& out) noexcept {
    KeyBuffer buffer;
    return find(role_key(id, buffer), out);
}

}  // namespace token_auth
