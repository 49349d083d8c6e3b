#include "token_auth/resolve.hpp"

#include "token_auth/text.hpp"

namespace token_auth {

Lookup resolve(Snapshot& snapshot, const Digest& digest, OrganizationMode mode,
               std::string_view organization, Claims& out) noexcept {
    out = Claims{};
    Lookup found = snapshot.token(digest, out.token);
    if (found != Lookup::found) {
        return found;
    }

    if (out.token.kind == kind_user) {
        UserRecord user;
        found = snapshot.user(out.token.subject, user);
        if (found != Lookup::found) {
            return found;
        }
        out.disabled = user.disabled;
        if (mode != OrganizationMode::off && is_identifier(organization)) {
            out.organization = organization;
            MembershipRecord membership;
            found = snapshot.membership(out.token.subject, organization, membership);
            if (found == Lookup::broken) {
                return found;
            }
            if (found == Lookup::found) {
                out.member = true;
                out.role = membership.role;
            }
        }
    } else {
        out.organization = out.token.organization;
        out.disabled = out.token.subject_disabled;
        out.member = true;
        out.role = out.token.role;
    }

    if (out.member) {
        OrganizationRecord record;
        found = snapshot.organization(out.organization, record);
        if (found == Lookup::broken) {
            return found;
        }
        if (found == Lookup::not_found) {
            if (out.token.kind != kind_user) {
                return found;  // the organization was deleted, and its tokens with it
            }
            out.member = false;
            out.role = {};
        }
        out.suspended = record.suspended;
    }

    if (out.member && !out.role.empty()) {
        RoleRecord role;
        found = snapshot.role(out.role, role);
        if (found == Lookup::broken) {
            return found;
        }
        out.role_scopes = role.scopes;  // of a role that is gone: none, which grants nothing
    }
    out.known = true;
    return Lookup::found;
}

Identified identify(Snapshot& snapshot, Digester& digester, std::string_view token,
                    OrganizationMode mode, std::string_view organization, Claims& out,
                    KeyId& missing) noexcept {
    bool key_missing = false;
    const MetaRecord& meta = snapshot.meta();
    for (std::size_t i = 0; i < meta.key_use_count; ++i) {
        const KeyId id = meta.key_uses[i].id;
        std::size_t key = 0;
        while (id != no_key && key < digester.key_count() && digester.key_id(key) != id) {
            ++key;
        }
        if (id != no_key && key == digester.key_count()) {
            key_missing = true;
            missing = id;
            continue;
        }
        Digest digest;
        if (!(id == no_key ? digester.plain(token, digest) : digester.keyed(key, token, digest))) {
            out = Claims{};
            return Identified::no_digest;
        }
        const Lookup found =
            snapshot.guarded([&] { return resolve(snapshot, digest, mode, organization, out); });
        if (found == Lookup::broken) {
            return Identified::broken;
        }
        // A record that was stored for another key's digest is not this token's.
        if (out.token.key_id == id && found == Lookup::found) {
            return Identified::found;
        }
    }
    out = Claims{};
    return key_missing ? Identified::key_missing : Identified::not_found;
}

}  // namespace token_auth
