#include "store_file.hpp"

#include <openssl/sha.h>

#include <array>
#include <cstdlib>

namespace token_auth::unit {

StoreMeta StoreFile::first_meta() {
    StoreMeta meta;
    meta.generation = 100;
    meta.synced = 1'800'000'000'000;
    meta.created = 1'700'000'000'000;
    meta.source = "registry";
    meta.keys[0].tokens = 1;
    return meta;
}

void StoreFile::commit(const std::function<void(MDB_txn*)>& change) {
    ++meta.generation;
    file_.write([&](MDB_txn* txn) {
        change(txn);
        put_meta(txn, meta);
    });
}

void StoreFile::put_meta(MDB_txn* txn, StoreMeta meta) {
    std::array<char, meta_record_max> buffer;
    meta.transaction = mdb_txn_id(txn);
    const std::size_t size = encode(meta, buffer.data(), buffer.size());
    if (size == 0) {
        std::abort();
    }
    LmdbFile::put(txn, meta_record_key, {buffer.data(), size});
}

void StoreFile::put(MDB_txn* txn, const TokenEntry& entry) {
    std::array<char, token_entry_max> buffer;
    const std::size_t size = encode(entry, false, buffer.data(), buffer.size());
    if (size == 0) {
        std::abort();
    }
    LmdbFile::put(txn, token_key(entry.digest), {buffer.data(), size});
}

void StoreFile::put(MDB_txn* txn, std::uint16_t number, const RoleEntry& role) {
    std::array<char, role_record_max> buffer;
    const std::size_t size = encode(role, buffer.data(), buffer.size());
    if (size == 0) {
        std::abort();
    }
    LmdbFile::put(txn, role_key(number), {buffer.data(), size});
}

Digest digest_of(std::string_view text) {
    Digest digest;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

TokenEntry token_of(std::string_view text) {
    TokenEntry entry;
    entry.digest = digest_of(text);
    entry.id = text;
    entry.organization = "acme";
    entry.organization_number = organization_number("acme");
    return entry;
}

}  // namespace token_auth::unit
