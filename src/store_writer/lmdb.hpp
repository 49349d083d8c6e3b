// LMDB with owners and exceptions.
#pragma once

#include <lmdb.h>

#include <cstdint>
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
inline std::string_view to_view(const MDB_val& value) noexcept {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// The result of an LMDB call that writes: throws MapFull or StoreError if it is no success.
void require_written(int error, const std::string& path);

// An environment on the directory `path`, as mdb_env_open() takes them. Throws StoreError.
Environment open_environment(const std::string& path, unsigned flags);

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

// LMDB's calls of these names in the main database. Damage that would end the process is
// MDB_CORRUPTED.
int get(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept;
int put(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept;
int erase(MDB_txn* transaction, MDB_val& key) noexcept;
int cursor_get(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op operation) noexcept;

// Whether the main database holds nothing.
bool is_empty(MDB_txn* transaction, const std::string& path);

// A transaction with the main database open, on a map that was grown by another process meanwhile
// too. `doing` is for fail().
TransactionHandle begin(MDB_env* environment, const std::string& path, unsigned flags,
                        const char* doing);
inline TransactionHandle begin_reading(MDB_env* environment, const std::string& path) {
    return begin(environment, path, MDB_RDONLY, "read");
}
Cursor open_cursor(MDB_txn* transaction, const std::string& path);

}  // namespace token_auth::store_writer
