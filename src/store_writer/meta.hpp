// The meta record, owned, and the counting of a store's records for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store_writer/lmdb.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {

// A record cannot be counted: it cannot be read. A full load mends that.
class DamagedRecord : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Meta {
    std::uint64_t generation = 0;
    std::int64_t synced = 0;   // Unix milliseconds
    std::int64_t created = 0;  // Unix milliseconds
    Counts counts{};
    std::map<KeyId, std::uint64_t> key_uses;  // tokens by key; no zeros
    std::string source;
    std::string position;

    // Counts a record in (by = +1) or out (by = -1). Throws DamagedRecord.
    void count(std::string_view key, std::string_view value, int by);
};

Meta owned(const MetaRecord& record);

// The meta record of a transaction; empty if the store holds no content yet. Throws DamagedStore
// if it cannot be read, and StoreError if the environment holds another program's data.
std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path);

// Writes it. Throws base::Error if it does not fit.
void write_meta(MDB_txn* transaction, const std::string& path, const Meta& meta);

// Marks a store whose first load has not ended, in place of a meta record.
inline constexpr std::string_view unfinished_key = "L";
inline constexpr std::string_view unfinished_value = "TKAUTH unfinished";

}  // namespace token_auth::store_writer
