#include "store_writer/meta.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "store_writer/error.hpp"
#include "store_writer/notes.hpp"

namespace token_auth::store_writer {
namespace {

void change_count(std::uint64_t& count, std::int64_t by) {
    if (by < 0 && count < static_cast<std::uint64_t>(-by)) {
        throw DamagedRecord("the store holds more records than its meta record counts");
    }
    count += static_cast<std::uint64_t>(by);
}

[[noreturn]] void damaged(const std::string& path) {
    throw DamagedStore(
        fmt::format("the store {} is damaged: its meta record cannot be read", path));
}

void count_tokens(Contents& contents, std::string_view value, int by) {
    for (bool followed = true; followed;) {
        TokenView token;
        if (!token.parse(value)) {
            throw DamagedRecord("a token's record is damaged");
        }
        change_count(contents.counts.tokens, by);
        change_count(contents.keys.at(token.key_index()).tokens, by);
        change_count(contents.counts.held_back, token.held_back() ? by : 0);
        followed = token.is_followed();
        value.remove_prefix(token.bytes().size());
    }
}

void count_users(Contents& contents, std::string_view value, int by) {
    for (; !value.empty();) {
        UserView user;
        if (!user.parse(value)) {
            throw DamagedRecord("a user's record is damaged");
        }
        change_count(contents.counts.users, by);
        value.remove_prefix(user.bytes.size());
    }
}

void count_notes(Contents& contents, std::string_view value, int by) {
    for (; !value.empty();) {
        Note note;
        if (!note.parse(value)) {
            throw DamagedRecord("a record of rows that are left out is damaged");
        }
        change_count(contents.counts.left_out, by);
        value.remove_prefix(note.bytes.size());
    }
}

}  // namespace

void Contents::count(std::uint64_t key, std::string_view value, int by) {
    if (key < first_user_key) {
        count_tokens(*this, value, by);
    } else if (key < first_suspension_key) {
        count_users(*this, value, by);
    } else if (key >= first_note_key && key < first_role_key) {
        count_notes(*this, value, by);
    } else if (key < first_role_key) {
        std::uint32_t suspended = 0;
        std::string_view rest;
        if (!suspensions(value, suspended, rest)) {
            throw DamagedRecord("a record of suspended organizations is damaged");
        }
        change_count(counts.suspended, by * std::int64_t{suspended});
    } else {
        RoleEntry role;
        if (!decode(value, role)) {
            throw DamagedRecord("a role's record is damaged");
        }
        change_count(counts.roles, role.exists ? by : 0);
    }
}

bool Contents::operator==(const Contents& other) const noexcept {
    const auto same_use = [](const KeyUse& a, const KeyUse& b) {
        return a.tokens == b.tokens && (a.tokens == 0 || a.id == b.id);
    };
    return counts.tokens == other.counts.tokens && counts.users == other.counts.users &&
           counts.roles == other.counts.roles && counts.suspended == other.counts.suspended &&
           counts.left_out == other.counts.left_out && counts.held_back == other.counts.held_back &&
           std::equal(keys.begin(), keys.end(), other.keys.begin(), same_use);
}

Meta owned(const StoreMeta& record) {
    Meta meta;
    meta.generation = record.generation;
    meta.synced = record.synced;
    meta.created = record.created;
    meta.roles_generation = record.roles_generation;
    meta.contents = {record.counts, record.keys};
    meta.source = record.source;
    meta.position = record.position;
    return meta;
}

std::uint16_t Numbers::role(const std::string& name) {
    if (name.empty()) {
        return no_role;
    }
    if (const auto known = known_role(name)) {
        return *known;
    }
    if (free_role_ > role_number_max) {
        throw NoNumberLeft(
            fmt::format("the registry names more than {} roles; remove some", role_number_max + 1));
    }
    const auto number = static_cast<std::uint16_t>(free_role_);
    add_role(name, number);
    return number;
}

std::optional<std::uint16_t> Numbers::known_role(const std::string& name) const {
    const auto found = roles_.find(name);
    return found == roles_.end() ? std::nullopt : std::optional(found->second);
}

// A store's numbers have no gaps: only a rebuild frees them.
void Numbers::add_role(const std::string& name, std::uint16_t number) {
    roles_[name] = number;
    free_role_ = std::max(free_role_, std::uint32_t{number} + 1);
}

std::uint8_t Numbers::key(KeyId id) {
    const auto is_of = [id](const KeyUse& use) { return use.tokens != 0 && use.id == id; };
    const auto is_free = [](const KeyUse& use) { return use.tokens == 0; };
    auto found = std::find_if(keys_.begin(), keys_.end(), is_of);
    if (found == keys_.end()) {
        found = std::find_if(keys_.begin(), keys_.end(), is_free);
    }
    if (found == keys_.end()) {
        throw NoNumberLeft(
            fmt::format("the registry holds tokens under more than {} keys for digests; rotate "
                        "the tokens of the oldest ones, nothing was synced",
                        key_uses_max));
    }
    found->id = id;
    found->tokens = std::max<std::uint64_t>(found->tokens, 1);  // taken
    return static_cast<std::uint8_t>(found - keys_.begin());
}

bool Numbers::knows(const std::string& role, KeyId key) const noexcept {
    return (role.empty() || roles_.contains(role)) &&
           std::any_of(keys_.begin(), keys_.end(),
                       [key](const KeyUse& use) { return use.tokens != 0 && use.id == key; });
}

bool Numbers::is_full() const noexcept {
    return free_role_ > role_number_max ||
           std::all_of(keys_.begin(), keys_.end(),
                       [](const KeyUse& use) { return use.tokens != 0; });
}

std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path) {
    std::string_view value;
    if (!find(transaction, path, meta_record_key, value)) {
        if (!is_empty(transaction, path)) {
            damaged(path);
        }
        return std::nullopt;
    }
    StoreMeta record;
    switch (decode(value, record)) {
        case MetaState::whole:
            if (record.generation > generation_of_store_max) {
                damaged(path);
            }
            return owned(record);
        case MetaState::unfinished:
            return std::nullopt;
        default:
            damaged(path);
    }
}

void write_meta(MDB_txn* transaction, const std::string& path, const Meta& meta) {
    StoreMeta record;
    record.transaction = mdb_txn_id(transaction);
    record.generation = meta.generation;
    record.synced = meta.synced;
    record.created = meta.created;
    record.roles_generation = meta.roles_generation;
    record.counts = meta.contents.counts;
    record.keys = meta.contents.keys;
    record.source = meta.source;
    record.position = meta.position;
    std::array<char, meta_record_max> buffer{};
    const std::size_t size = encode(record, buffer.data(), buffer.size());
    if (size == 0) {
        throw base::Error(
            "the registry's id is no identifier ([A-Za-z0-9._-], 1 to 64 bytes); see the row "
            "registry_id of its table meta");
    }
    put(transaction, path, meta_record_key, {buffer.data(), size});
}

Numbers read_numbers(MDB_txn* transaction, const std::string& path, const Contents& contents) {
    Numbers numbers;
    numbers.set_keys(contents.keys);
    const Cursor cursor = open_cursor(transaction, path);
    std::uint64_t at = first_role_key;
    MDB_val key = to_val(at);
    MDB_val value{};
    int error = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
    while (error == MDB_SUCCESS && to_key(key) < meta_record_key) {
        RoleEntry role;
        if (!decode(to_view(value), role)) {
            throw DamagedStore(fmt::format("the store {} is damaged: a role cannot be read", path));
        }
        numbers.add_role(std::string(role.name),
                         static_cast<std::uint16_t>(to_key(key) - first_role_key));
        error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
    }
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) {
        fail(path, "read", error);
    }
    return numbers;
}

}  // namespace token_auth::store_writer
