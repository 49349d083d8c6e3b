// What one write transaction does to the records of the store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store_writer/lmdb.hpp"
#include "store_writer/meta.hpp"

namespace token_auth::store_writer {

struct Tally {
    std::uint64_t written = 0;  // records that are new or differ
    std::uint64_t erased = 0;
    std::uint64_t tokens_erased = 0;

    bool changed() const noexcept { return written + erased > 0; }
};

// Records that are in the store as they are given are not written again. Throws MapFull, StoreError
// and DamagedRecord.
class WriteTxn {
  public:
    // Counts the changes in `meta`; null: somebody counted before.
    WriteTxn(MDB_txn* transaction, const std::string& path, Meta* meta)
        : transaction_(transaction), path_(path), meta_(meta) {}

    void put(std::string_view key, std::string_view value);
    void erase(std::string_view key);

    const Tally& tally() const noexcept { return tally_; }

  private:
    // The record under a key; false if there is none.
    bool find(std::string_view key, std::string_view& value) const;
    void count(std::string_view key, std::string_view value, int by);

    MDB_txn* transaction_;
    const std::string& path_;
    Meta* meta_;
    Tally tally_;
};

}  // namespace token_auth::store_writer
