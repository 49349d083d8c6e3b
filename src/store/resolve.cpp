#include "token_auth/resolve.hpp"

#include "token_auth/text.hpp"

namespace token_auth {

Found resolve(Snapshot& snapshot, const Digest& digest, OrganizationMode mode,
              std::string_view organization, Claims& out) noexcept {
    out.known = false;
    Found found = snapshot.token(digest, out.token);
    if (found != Found::found) {
        return found;
    }
    Membership membership;
    out.member = !out.token.is_user();
    if (out.member) {
        out.organization = out.token.organization();
        membership.number = out.token.organization_number();
        membership.role = out.token.role();
    } else if (mode == OrganizationMode::off || organization.empty()) {
        out.organization = {};
    } else {
        found = snapshot.membership(out.token, organization, membership);
        if (found == Found::torn) {
            return found;
        }
        out.member = found == Found::found;
        // What stands in the store is an identifier.
        out.organization =
            out.member || is_identifier(organization) ? organization : std::string_view{};
    }
    found = out.member ? snapshot.suspended(membership.number, out.organization) : Found::absent;
    if (found == Found::torn) {
        return found;
    }
    out.suspended = found == Found::found;
    if (out.member && membership.role != no_role) {
        const Role* const role = snapshot.role(membership.role);
        if (role == nullptr) {
            return Found::torn;
        }
        out.role = role->name;
        out.role_scopes = role->scopes;  // of a role that is only named: none, grants nothing
        out.role_meets = &role->meets;
    } else {
        out.role = {};
        out.role_scopes = {};
        out.role_meets = nullptr;
    }
    out.known = true;
    return Found::found;
}

bool Identify::make_digest(KeyId id, std::size_t index) noexcept {
    const unsigned bit = 1U << index;
    if ((made_ & bit) != 0 && ids_[index] == id) {
        return true;
    }
    std::size_t key = 0;
    while (id != no_key && key < digester_.key_count() && digester_.key_id(key) != id) {
        ++key;
    }
    if (id != no_key && key == digester_.key_count()) {
        missing_key = id;
        return false;
    }
    Digest& digest = digests_[index];
    if (!(id == no_key ? digester_.plain(token_, digest) : digester_.keyed(key, token_, digest))) {
        no_digest = true;
        return false;
    }
    ids_[index] = id;
    made_ |= bit;
    return true;
}

Found Identify::operator()(Snapshot& snapshot) noexcept {
    const StoreMeta& meta = snapshot.meta();
    generation = meta.generation;
    synced = meta.synced;
    missing_key = no_key;
    no_digest = false;
    for (std::size_t i = 0; i < meta.keys_end; ++i) {
        if (meta.keys[i].tokens == 0 || !make_digest(meta.keys[i].id, i)) {
            continue;
        }
        const Found found = resolve(snapshot, digests_[i], mode_, organization_, claims);
        // An entry that was stored for another key's digest is not this token's.
        if (found == Found::torn || (found == Found::found && claims.token.key_index() == i)) {
            return found;
        }
    }
    claims.known = false;
    return Found::absent;
}

}  // namespace token_auth
