#include "store_writer/meta.hpp"

#include <fmt/core.h>

#include <array>

#include "store_writer/error.hpp"

namespace token_auth::store_writer {
namespace {

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

void change_count(std::uint64_t& count, int by) {
    if (by < 0 && count == 0) {
        throw DamagedRecord("the store holds more records than its meta record counts");
    }
    count += static_cast<std::uint64_t>(by);
}

bool is_unfinished(MDB_txn* transaction) {
    MDB_val key = to_val(unfinished_key);
    MDB_val value{};
    return get(transaction, key, value) == MDB_SUCCESS && to_view(value) == unfinished_value;
}

}  // namespace

void Meta::count(std::string_view key, std::string_view value, int by) {
    const char tag = key.empty() ? '\0' : key.front();
    std::uint64_t* const records = count_of(counts, tag);
    if (records == nullptr) {
        throw DamagedRecord("a record has an unknown key");
    }
    TokenRecord token;
    if (tag == tag_token && !decode(value, token)) {
        throw DamagedRecord("a token's record is damaged");
    }
    change_count(*records, by);
    if (tag == tag_token) {
        std::uint64_t& uses = key_uses[token.key_id];
        change_count(uses, by);
        if (uses == 0) {
            key_uses.erase(token.key_id);
        }
    }
}

Meta owned(const MetaRecord& record) {
    Meta meta;
    meta.generation = record.generation;
    meta.synced = record.synced;
    meta.created = record.created;
    meta.counts = record.counts;
    for (std::size_t i = 0; i < record.key_use_count; ++i) {
        meta.key_uses[record.key_uses[i].id] = record.key_uses[i].tokens;
    }
    meta.source = record.source;
    meta.position = record.position;
    return meta;
}

std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path) {
    MDB_val key = to_val(meta_key());
    MDB_val value{};
    const int error = get(transaction, key, value);
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) {
        fail(path, "read", error);
    }
    if (error == MDB_NOTFOUND && (is_empty(transaction, path) || is_unfinished(transaction))) {
        return std::nullopt;
    }
    MetaRecord record;
    switch (error == MDB_SUCCESS ? decode(to_view(value), record) : MetaProblem::not_a_store) {
        case MetaProblem::none:
            break;
        case MetaProblem::not_a_store:
            throw StoreError(
                fmt::format("the directory {} holds the LMDB file of another program; name an "
                            "empty or a new directory with --db",
                            path));
        case MetaProblem::other_version:
            throw DamagedStore(
                fmt::format("the store {} is of another version of token-auth", path));
        case MetaProblem::damaged:
            throw DamagedStore(
                fmt::format("the store {} is damaged: its meta record cannot be read", path));
    }
    return owned(record);
}

void write_meta(MDB_txn* transaction, const std::string& path, const Meta& meta) {
    if (meta.key_uses.size() > key_uses_max) {
        throw base::Error(
            fmt::format("the registry holds tokens under more than {} keys for digests; rotate "
                        "the tokens of the oldest ones, nothing was synced",
                        key_uses_max));
    }
    MetaRecord record;
    record.generation = meta.generation;
    record.synced = meta.synced;
    record.created = meta.created;
    record.counts = meta.counts;
    for (const auto& [id, tokens] : meta.key_uses) {
        record.key_uses[record.key_use_count++] = {id, tokens};
    }
    record.source = meta.source;
    record.position = meta.position;
    std::array<char, value_max> buffer{};
    const std::size_t size = encode(record, buffer.data(), buffer.size());
    if (size == 0) {
        throw base::Error(
            "the registry's id is no identifier ([A-Za-z0-9._-], 1 to 64 bytes); see the row "
            "registry_id of its table meta");
    }
    MDB_val key = to_val(meta_key());
    MDB_val value = to_val({buffer.data(), size});
    require_written(put(transaction, key, value), path);
}

}  // namespace token_auth::store_writer
