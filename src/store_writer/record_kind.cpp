#include "store_writer/record_kind.hpp"

namespace token_auth::store_writer {

std::uint64_t* count_of(Counts& counts, char tag) noexcept {
    switch (tag) {
        case tag_membership:
            return &counts.memberships;
        case tag_organization:
            return &counts.organizations;
        case tag_role:
            return &counts.roles;
        case tag_token:
            return &counts.tokens;
        case tag_user:
            return &counts.users;
        default:
            return nullptr;
    }
}

}  // namespace token_auth::store_writer
