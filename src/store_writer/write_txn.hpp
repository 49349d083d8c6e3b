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
    bool roles_changed = false;

    bool changed() const noexcept { return written + erased > 0; }
};

// Takes a ChangeSet. Records that are in the store as they are given are not written again. Throws
// MapFull, StoreError and DamagedRecord.
class WriteTxn {
  public:
    // Counts the changes in `contents`; null: somebody counted before.
    WriteTxn(MDB_txn* transaction, const std::string& path, Contents* contents)
        : transaction_(transaction), path_(path), contents_(contents) {}

    void put(std::uint64_t key, std::string_view value);
    void erase(std::uint64_t key) { replace(key, {}); }
    void put_token(std::uint64_t key, std::string_view entry);
    void erase_token(std::uint64_t key, std::string_view digest);
    void put_user(std::uint64_t key, std::string_view entry);
    void erase_user(std::uint64_t key, std::string_view user);
    void suspend(std::string_view organization, bool suspended);

    const Tally& tally() const noexcept { return tally_; }

  private:
    std::string_view value_of(std::uint64_t key) const;
    // Erases it if the value is empty.
    void replace(std::uint64_t key, std::string_view value);

    MDB_txn* transaction_;
    const std::string& path_;
    Contents* contents_;
    Tally tally_;
};

}  // namespace token_auth::store_writer
