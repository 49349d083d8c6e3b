// LMDB with owners and exceptions.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace token_auth::store_writer {

struct EnvironmentCloser {
    void operator()(MDB_env* environment) const noexcept { mdb_env_close(environment); }
};
using Environment = std::unique_ptr<MDB_env, EnvironmentCloser>;

struct TransactionAborter {
    void operator()(MDB_txn* transaction) const noexcept { mdb_txn_abort(transaction); }
};
using TransactionHandle = std::unique_ptr<MDB_txn, TransactionAborter>;

struct CursorCloser {
    void operator()(MDB_cursor* cursor) const noexcept { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

inline constexpr MDB_dbi main_dbi = 1;  // the handle that mdb_dbi_open(txn, nullptr, …) gives

inline MDB_val to_val(std::string_view text) noexcept {
    return {text.size(), const_cast<char*>(text.data())};
}
inline MDB_val to_val(std::uint64_t& key) noexcept {
    return {sizeof(key), &key};
}
inline std::string_view to_view(const MDB_val& value) noexcept {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}
inline std::uint64_t to_key(const MDB_val& key) noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, key.mv_data, sizeof(number));
    return number;
}

// The result of an LMDB call that writes: throws MapFull or StoreError if it is no success.
void require_written(int error, const std::string& path);

// An environment on the directory `path`, without LMDB's lock: the caller has one of its own (see
// sync_lock.hpp). Throws StoreError.
Environment open_environment(const std::string& path);

struct Size {
    std::uint64_t used = 0;  // bytes of pages that were ever in use
    std::uint64_t map = 0;
    std::uint64_t file = 0;  // the length of data.mdb
    std::uint64_t disk = 0;  // what it takes of the disk
};
Size size_of(MDB_env* environment, const std::string& path);

// Throws StoreError if the data file is shorter than its pages need: to read on would end the
// process (SIGBUS).
void require_whole(MDB_env* environment, const std::string& path);

// A write transaction with the main database open, which has integer keys.
TransactionHandle begin(MDB_env* environment, const std::string& path);
TransactionHandle begin_reading(MDB_env* environment, const std::string& path);
Cursor open_cursor(MDB_txn* transaction, const std::string& path);

// In the main database. These throw MapFull and StoreError.
bool is_empty(MDB_txn* transaction, const std::string& path);
// False if there is no such record. The value holds until the next write.
bool find(MDB_txn* transaction, const std::string& path, std::uint64_t key,
          std::string_view& value);
void put(MDB_txn* transaction, const std::string& path, std::uint64_t key, std::string_view value);
// Behind all others; throws OutOfOrder if it is not.
void append(MDB_txn* transaction, const std::string& path, std::uint64_t key,
            std::string_view value);
void erase(MDB_txn* transaction, const std::string& path, std::uint64_t key);

}  // namespace token_auth::store_writer
