// What one write transaction does to the store, with its records counted.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store_writer/lmdb.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {

// The meta record, owned.
struct Meta {
    std::uint64_t generation = 0;
    std::int64_t synced = 0;   // Unix milliseconds
    std::int64_t created = 0;  // Unix milliseconds
    Counts counts{};
    std::map<KeyId, std::uint64_t> key_uses;  // tokens by key; no zeros
    std::string source;
    std::string position;
};

Meta owned(const MetaRecord& record);

// A record that is in the way of exact counts: it cannot be read. A full load mends that.
class DamagedRecord : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Counts a record in (by = +1) or out (by = -1). Throws DamagedRecord where it cannot be read.
void count(Meta& meta, std::string_view key, std::string_view value, int by);

struct Tally {
    std::uint64_t written = 0;  // records that are new or differ
    std::uint64_t erased = 0;
    std::uint64_t tokens_erased = 0;

    bool changed() const noexcept { return written + erased > 0; }
};

// One write transaction. Records that are in the store as they are given are not written again.
class WriteTxn {
  public:
    WriteTxn(MDB_txn* transaction, const std::string& path, Meta meta);

    void put(std::string_view key, std::string_view value);
    void erase(std::string_view key);

    // The meta record to be: `source` and `position` are the caller's to set.
    Meta& meta() noexcept { return meta_; }
    const Tally& tally() const noexcept { return tally_; }

  private:
    friend class SortedDiff;

    void write(std::string_view key, std::string_view value);
    void count_erased(std::string_view key) noexcept;

    MDB_txn* transaction_;
    const std::string& path_;
    Meta meta_;
    Tally tally_;
};

}  // namespace token_auth::store_writer
