#include "store_writer/write_txn.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "store_writer/entries.hpp"
#include "store_writer/error.hpp"
#include "store_writer/notes.hpp"

namespace token_auth::store_writer {
namespace {

std::string encoded_suspensions(const std::vector<std::string_view>& organizations) {
    std::size_t size = sizeof(std::uint32_t);
    for (const std::string_view id : organizations) {
        size += 1 + id.size();
    }
    std::string value(size, '\0');
    value.resize(
        encode_suspensions(organizations.data(), organizations.size(), value.data(), size));
    return value;
}

bool is_same(const TokenView& a, const TokenView& b) {
    return a.entry(0).digest == b.entry(0).digest;
}
bool is_same(const UserView& a, const UserView& b) {
    return a.user == b.user;
}

// The entries of a value that are not in another one.
template <typename View, typename Each>
void for_each_lost(std::string_view value, std::string_view kept, const Each& each) {
    const auto bytes_of = [](const View& view) -> std::string_view {
        if constexpr (std::is_same_v<View, TokenView>) {
            return view.bytes();
        } else {
            return view.bytes;
        }
    };
    for (View view; !value.empty() && view.parse(value);
         value.remove_prefix(bytes_of(view).size())) {
        bool lost = true;
        std::string_view rest = kept;
        for (View other; lost && !rest.empty() && other.parse(rest);
             rest.remove_prefix(bytes_of(other).size())) {
            lost = !is_same(view, other);
        }
        if (lost) {
            each(bytes_of(view));
        }
    }
}

}  // namespace

void Removed::add_tokens(std::uint64_t key, std::string_view value, std::string_view kept) {
    for_each_lost<TokenView>(value, kept, [&](std::string_view entry) { add_token(key, entry); });
}

void Removed::add_users(std::string_view value, std::string_view kept) {
    for_each_lost<UserView>(value, kept,
                            [&](std::string_view entry) { users.emplace_back(entry); });
}

std::string_view WriteTxn::value_of(std::uint64_t key) const {
    std::string_view value;
    find(transaction_, path_, key, value);
    return value;
}

void WriteTxn::put(std::uint64_t key, std::string_view value) {
    replace(key, value);
}

void WriteTxn::replace(std::uint64_t key, std::string_view value) {
    const std::string_view old = value_of(key);
    if (old == value) {
        return;
    }
    if (contents_ != nullptr) {
        if (!old.empty()) {
            contents_->count(key, old, -1);
        }
        if (!value.empty()) {
            contents_->count(key, value, +1);
        }
    }
    tally_.roles_changed = tally_.roles_changed || key >= first_role_key;
    if (value.empty()) {
        store_writer::erase(transaction_, path_, key);
        ++tally_.erased;
    } else {
        store_writer::put(transaction_, path_, key, value);
        ++tally_.written;
    }
}

void WriteTxn::put_token(std::uint64_t key, std::string_view entry) {
    const std::string_view old = value_of(key);
    const std::string value = with_token(key, old, entry);
    TokenView token;
    if (note_added_ && old.empty() && token.parse(entry)) {
        tally_.added.emplace_back(token.id());
    }
    replace(key, value);
}

void WriteTxn::erase_token(std::uint64_t key, std::string_view digest) {
    const std::string_view old = value_of(key);
    const std::string left = without_token(old, digest);
    if (left.size() != old.size()) {
        tally_.removed.add_tokens(key, old, left);
        replace(key, left);
    }
}

void WriteTxn::put_user(std::uint64_t key, std::string_view entry) {
    replace(key, with_user(value_of(key), entry));
}

void WriteTxn::erase_user(std::uint64_t key, std::string_view user) {
    const std::string_view old = value_of(key);
    const std::string left = without_user(old, user);
    tally_.removed.add_users(old, left);
    replace(key, left);
}

void WriteTxn::put_note(std::uint64_t key, std::string_view entry) {
    replace(key, with_note(value_of(key), entry));
}

void WriteTxn::erase_note(std::uint64_t key, std::string_view id) {
    replace(key, without_note(value_of(key), id));
}

void WriteTxn::forget(std::string_view organization) {
    const std::uint64_t before = tally_.written + tally_.erased;
    suspend(organization, false);
    if (tally_.written + tally_.erased != before) {
        tally_.removed.suspended.emplace_back(organization);
    }
}

void WriteTxn::suspend(std::string_view organization, bool suspended) {
    const std::uint64_t key = suspension_key(organization_number(organization));
    const std::string old(value_of(key));
    std::vector<std::string_view> all;
    std::uint32_t count = 0;
    std::string_view rest;
    if (!old.empty() && !suspensions(old, count, rest)) {
        throw DamagedRecord("a record of suspended organizations is damaged");
    }
    for (std::string_view id; count != 0 && next_suspension(rest, id); --count) {
        if (id != organization) {
            all.push_back(id);
        }
    }
    if (suspended) {
        all.insert(std::upper_bound(all.begin(), all.end(), organization), organization);
    }
    replace(key, all.empty() ? std::string() : encoded_suspensions(all));
}

}  // namespace token_auth::store_writer
