#include "token_auth/store.hpp"

#include <lmdb.h>

namespace token_auth {
namespace {

MDB_val val(std::string_view text) noexcept {
    return {text.size(), const_cast<char*>(text.data())};
}

}  // namespace

Lookup Store::get(std::string_view key, std::string_view& value) noexcept {
    if (key.empty()) {
        return Lookup::not_found;
    }
    MDB_val name = val(key);
    const bool of_token = is_token_key(key);
    Places& places = of_token ? token_places_ : other_places_;
    const std::uint64_t hash = of_token ? Places::hash_of_random(key) : Places::hash(key);
    Tree::Found walked = Tree::Found::unsure;
    const int error = guarded([&] {
        value = places.find(key, hash);
        if (!value.empty()) {
            return MDB_SUCCESS;
        }
        walked = tree_.find(key, value);
        if (walked == Tree::Found::absent) {
            return MDB_NOTFOUND;
        }
        if (walked == Tree::Found::unsure) {
            MDB_val data;
            const int result = mdb_get(txn_, main_dbi, &name, &data);
            if (result != MDB_SUCCESS) {
                return result;
            }
            value = {static_cast<const char*>(data.mv_data), data.mv_size};
        }
        places.remember(key, hash, value);
        return MDB_SUCCESS;
    });
    if (error == MDB_SUCCESS) {
        return Lookup::found;
    }
    if (error == MDB_NOTFOUND) {
        // To mdb_get() a page of noise can look like one without keys: it holds no token, and no
        // meta record either.
        return walked == Tree::Found::absent || !of_token || holds_meta() ? Lookup::not_found
                                                                          : Lookup::broken;
    }
    fail("read it", error);
    return Lookup::broken;
}

// By mdb_get(), which a place would pass by.
bool Store::holds_meta() noexcept {
    MDB_val name = val(meta_key());
    MDB_val data;
    const int error = guarded([&] { return mdb_get(txn_, main_dbi, &name, &data); });
    if (error == MDB_NOTFOUND) {
        explain("it is damaged: remove the directory and run \"tokensync run\"");
    } else if (error != MDB_SUCCESS) {
        fail("read it", error);
    }
    return error == MDB_SUCCESS;
}

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
    return find(organization_key(id, buffer, Names::checked), out);
}

Lookup Snapshot::user(std::string_view id, UserRecord& out) noexcept {
    KeyBuffer buffer;
    return find(user_key(id, buffer, Names::checked), out);
}

Lookup Snapshot::membership(std::string_view user, std::string_view organization,
                            MembershipRecord& out) noexcept {
    KeyBuffer buffer;
    return find(membership_key(user, organization, buffer, Names::checked), out);
}

Lookup Snapshot::role(std::string_view id, RoleRecord& out) noexcept {
    KeyBuffer buffer;
    return find(role_key(id, buffer, Names::checked), out);
}

}  // namespace token_auth
