// The meta record, owned, and what only the writer knows of a store: which numbers its roles have.
#pragma once

#include <array>
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

// A store has no number left for a role, or no index for a key of digests: a new one may have.
class NoNumberLeft : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

using KeyTable = std::array<KeyUse, key_uses_max>;

// What the meta record counts.
struct Contents {
    StoreCounts counts{};
    KeyTable keys{};

    // Counts a record in (by = +1) or out (by = -1). Throws DamagedRecord.
    void count(std::uint64_t key, std::string_view value, int by);
    bool operator==(const Contents& other) const noexcept;
};

// The highest generation that is taken from the clock or the lock file, and from a store. One that
// is higher is of a clock that is wrong by many years, or noise; and there is room for all commits
// to come.
inline constexpr std::uint64_t generation_of_clock_max = generation_max / 2;
inline constexpr std::uint64_t generation_of_store_max = generation_max / 4 * 3;

struct Meta {
    std::uint64_t generation = 0;
    std::int64_t synced = 0;   // Unix milliseconds
    std::int64_t created = 0;  // Unix milliseconds
    std::uint64_t roles_generation = 0;
    Contents contents;
    std::string source;
    std::string position;
};

Meta owned(const StoreMeta& record);

// Which number a store has for a role's name, and which index for a digest's key.
class Numbers {
  public:
    // The number of a role, the lowest free one if it has none yet; no_role for no name. Throws
    // NoNumberLeft.
    std::uint16_t role(const std::string& name);
    std::optional<std::uint16_t> known_role(const std::string& name) const;
    const std::map<std::string, std::uint16_t>& roles() const noexcept { return roles_; }
    void add_role(const std::string& name, std::uint16_t number);

    // Whether both have one.
    bool knows(const std::string& role, KeyId key) const noexcept;
    // Whether no role, or no key, that has none gets one.
    bool is_full() const noexcept;

    // Likewise. An index without tokens is taken again.
    std::uint8_t key(KeyId id);
    const KeyTable& keys() const noexcept { return keys_; }
    void set_keys(const KeyTable& keys) noexcept { keys_ = keys; }

  private:
    std::map<std::string, std::uint16_t> roles_;
    std::uint32_t free_role_ = 0;  // no number below is free
    KeyTable keys_{};
};

// The meta record of a transaction; empty if the store holds no content yet. Throws DamagedStore
// if it cannot be read.
std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path);

// Writes it, with the transaction's number. Throws base::Error if it does not fit.
void write_meta(MDB_txn* transaction, const std::string& path, const Meta& meta);

// As a transaction has them. Throws DamagedStore.
Numbers read_numbers(MDB_txn* transaction, const std::string& path, const Contents& contents);

}  // namespace token_auth::store_writer
