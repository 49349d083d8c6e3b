#include "store_writer/write_txn.hpp"

#include <utility>

#include "store_writer/record_kind.hpp"

namespace token_auth::store_writer {

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

void count(Meta& meta, std::string_view key, std::string_view value, int by) {
    const char tag = key.empty() ? '\0' : key.front();
    std::uint64_t* const records = count_of(meta.counts, tag);
    if (records == nullptr) {
        throw DamagedRecord("a record has an unknown key");
    }
    KeyId key_id = no_key;
    if (tag == tag_token) {
        TokenRecord token;
        if (!decode(value, token)) {
            throw DamagedRecord("a token's record is damaged");
        }
        key_id = token.key_id;
    }
    if (by > 0) {
        ++*records;
    } else if ((*records)-- == 0) {
        throw DamagedRecord("the store holds more records than its meta record counts");
    }
    if (tag != tag_token) {
        return;
    }
    if (by > 0) {
        ++meta.key_uses[key_id];
        return;
    }
    const auto use = meta.key_uses.find(key_id);
    if (use == meta.key_uses.end()) {
        throw DamagedRecord("the store holds a token under a key that its meta record lacks");
    }
    if (--use->second == 0) {
        meta.key_uses.erase(use);
    }
}

WriteTxn::WriteTxn(MDB_txn* transaction, const std::string& path, Meta meta)
    : transaction_(transaction), path_(path), meta_(std::move(meta)) {}

void WriteTxn::write(std::string_view key, std::string_view value) {
    MDB_val name = to_val(key);
    MDB_val data = to_val(value);
    require_written(store_writer::put(transaction_, name, data), path_);
    ++tally_.written;
}

void WriteTxn::count_erased(std::string_view key) noexcept {
    ++tally_.erased;
    if (key.front() == tag_token) {
        ++tally_.tokens_erased;
    }
}

void WriteTxn::put(std::string_view key, std::string_view value) {
    MDB_val name = to_val(key);
    MDB_val old{};
    const int error = get(transaction_, name, old);
    if (error == MDB_SUCCESS) {
        if (to_view(old) == value) {
            return;
        }
        count(meta_, key, to_view(old), -1);
    } else if (error != MDB_NOTFOUND) {
        fail(path_, "read", error);
    }
    count(meta_, key, value, +1);
    write(key, value);
}

void WriteTxn::erase(std::string_view key) {
    if (key.empty()) {
        return;  // no identifier, so there cannot be such a record
    }
    MDB_val name = to_val(key);
    MDB_val old{};
    const int error = get(transaction_, name, old);
    if (error == MDB_NOTFOUND) {
        return;
    }
    if (error != MDB_SUCCESS) {
        fail(path_, "read", error);
    }
    count(meta_, key, to_view(old), -1);
    require_written(store_writer::erase(transaction_, name), path_);
    count_erased(key);
}

}  // namespace token_auth::store_writer
