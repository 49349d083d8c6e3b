// LMDB with owners and exceptions: what the writer and the readers of the store share.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace token_auth::store_writer {

// Something is wrong with the store or with its directory, not with the registry. Whoever gets it
// must close what is open of the store: LMDB may hold on to the failure.
class StoreError : public base::Error {
  public:
    using base::Error::Error;
};

// The store's content is damaged, or of a form that this program does not read: only a new store
// helps.
class DamagedStore : public StoreError {
  public:
    // The remedy is to remove the directory by hand, unless another one is given.
    explicit DamagedStore(const std::string& problem);
    DamagedStore(const std::string& problem, const std::string& remedy)
        : StoreError(problem + "; " + remedy), problem_(problem) {}

    const std::string& problem() const noexcept { return problem_; }

  private:
    std::string problem_;
};

// Another store is at the path by now: nothing was written to the one that is open.
class StoreReplaced : public StoreError {
  public:
    explicit StoreReplaced(const std::string& path);
};

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

// Throws the StoreError for an LMDB or system error: `doing` completes "cannot … the store <path>".
[[noreturn]] void fail(const std::string& path, const char* doing, int error);

// Not an error: the transaction is to be run again on a larger map.
class MapFull : public std::runtime_error {
  public:
    MapFull() : std::runtime_error("the store's map is full") {}
};

// The result of an LMDB call that writes: throws MapFull or StoreError where it is no success.
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

// Throws StoreError where the data file is shorter than its pages need: to read on would end the
// process (SIGBUS).
void require_whole(MDB_env* environment, const std::string& path);

// LMDB's calls of these names in the main database. Damage that would end the process is
// MDB_CORRUPTED.
int get(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept;
int put(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept;
int erase(MDB_txn* transaction, MDB_val& key) noexcept;
int cursor_get(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op operation) noexcept;
int cursor_erase(MDB_cursor* cursor) noexcept;

TransactionHandle begin_reading(MDB_env* environment, const std::string& path);
Cursor open_cursor(MDB_txn* transaction, const std::string& path);

}  // namespace token_auth::store_writer
