#include "store_writer/write_txn.hpp"

#include <algorithm>
#include <vector>

#include "store_writer/entries.hpp"
#include "store_writer/error.hpp"

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

}  // namespace

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
    replace(key, with_token(key, value_of(key), entry));
}

void WriteTxn::erase_token(std::uint64_t key, std::string_view digest) {
    const std::string_view old = value_of(key);
    const std::string left = without_token(old, digest);
    if (left.size() != old.size()) {
        replace(key, left);
        ++tally_.tokens_erased;
    }
}

void WriteTxn::put_user(std::uint64_t key, std::string_view entry) {
    replace(key, with_user(value_of(key), entry));
}

void WriteTxn::erase_user(std::uint64_t key, std::string_view user) {
    replace(key, without_user(value_of(key), user));
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
