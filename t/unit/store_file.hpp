// A store of format 2 as tokensync would write it, each commit with its meta record.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lmdb_file.hpp"
#include "token_auth/record.hpp"

namespace token_auth::unit {

class StoreFile {
  public:
    explicit StoreFile(std::size_t map_size = std::size_t{1} << 28) : file_(map_size) {}

    LmdbFile& file() { return file_; }
    const char* directory() const { return file_.directory().c_str(); }

    // What the next commit's meta record will say, but for the transaction.
    StoreMeta meta = first_meta();

    // One commit, with a generation above the last one.
    void commit(const std::function<void(MDB_txn*)>& change = [](MDB_txn*) {});

    static void put(MDB_txn* txn, const TokenEntry& entry);
    static void put(MDB_txn* txn, std::uint16_t number, const RoleEntry& role);
    static void put_meta(MDB_txn* txn, StoreMeta meta);

  private:
    static StoreMeta first_meta();

    LmdbFile file_;
};

// SHA-256 of a text.
Digest digest_of(std::string_view text);

// A token of an organization "acme", by the digest of a text, which is its id as well.
TokenEntry token_of(std::string_view text);

}  // namespace token_auth::unit
