// The read-only store: an LMDB environment directory that tokensync writes.
//
// Source: lmdb.h of LMDB 0.9 (mdb_env_open, mdb_txn_renew, mdb_env_set_mapsize).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sys/types.h>

#include "token_auth/places.hpp"
#include "token_auth/record.hpp"
#include "token_auth/rescue.hpp"
#include "token_auth/tree.hpp"

struct MDB_env;
struct MDB_txn;

namespace token_auth {

inline constexpr unsigned store_max_readers = 2048;  // slots: old and new workers share them
// Bytes that lock.mdb takes for them: LMDB's head, of two, and 64 for each.
inline constexpr off_t lock_file_size = off_t{64} * (store_max_readers + 2);
inline constexpr std::size_t problem_size = 512;  // bytes of a problem's text, its NUL included

enum class Lookup : std::uint8_t { found, not_found, broken };

// Which files are at a store's path just now: a replaced store is another one. So is one with
// another lock file: writers tell of their commits there, and see who reads.
struct StoreIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    ino_t lock_inode = 0;  // 0: there is no lock file
    bool operator==(const StoreIdentity& other) const noexcept {
        return device == other.device && inode == other.inode && lock_inode == other.lock_inode;
    }
};

// The identity of the files in `path`; false (errno set) where there is no data file to be seen.
bool store_identity(const char* path, StoreIdentity& out) noexcept;

// One open environment. Invariants: opened after fork, by the process that reads; at most one for
// a StoreIdentity in a process; between lookups its transaction is reset, so that it holds a
// reader slot but no snapshot. Not for use by two threads at once.
class Store {
  public:
    Store() noexcept = default;
    ~Store() { close(); }
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Opens the store in directory `path` and checks that it is one, whole, and of this format.
    // On failure it stays closed and problem() says what is wrong and what to do about it.
    bool open(const char* path) noexcept;
    void close() noexcept;
    bool is_open() const noexcept { return env_ != nullptr; }

    const StoreIdentity& identity() const noexcept { return identity_; }

    // Whether the data file has not become shorter: reading a truncated one would end the process
    // (SIGBUS). To be asked now and then. The next snapshot reads the meta record anew, as the file
    // may have been overwritten; it fails where the generation is lower than before. The lookups
    // that follow walk the tree again.
    bool is_whole() noexcept;

    // Whether lookups read the store's pages themselves (see tree.hpp) in the snapshot that was
    // last begun; else LMDB does.
    bool reads_pages() const noexcept { return tree_.is_settled(); }

    // One line, without a newline; empty where all is well.
    const char* problem() const noexcept { return problem_; }

    // Of the snapshot that was last begun.
    const MetaRecord& meta() const noexcept { return meta_; }

  private:
    friend class Snapshot;

    static constexpr unsigned main_dbi = 1;  // what mdb_dbi_open(txn, nullptr, ...) always gives

    bool settle_lock_file() noexcept;
    bool holds_its_pages() noexcept;
    bool last_page(std::uint64_t& last) noexcept;
    bool begin() noexcept;
    void end() noexcept;
    Lookup get(std::string_view key, std::string_view& value) noexcept;
    bool is_as_new_as_its_lock() noexcept;
    bool read_meta() noexcept;
    bool holds_meta() noexcept;
    void forget_places() noexcept;
    void fail(const char* doing, int error) noexcept;
    void explain(const char* text) noexcept;

    MDB_env* env_ = nullptr;
    Rescue rescue_;
    MDB_txn* txn_ = nullptr;
    bool begun_ = false;  // the transaction holds a snapshot
    std::size_t meta_of_txn_ = 0;
    Places token_places_;  // of that transaction's snapshot
    Places other_places_;  // likewise
    Tree tree_;            // likewise
    std::size_t page_size_ = 0;
    StoreIdentity identity_{};
    off_t size_ = 0;  // of the data file, when last looked at
    MetaRecord meta_{};
    char meta_source_[64] = {};
    char meta_position_[position_max] = {};
    char path_[4096] = {};
    char problem_[problem_size] = {};
};

// One consistent view of a store, from construction to destruction. Views that its lookups give
// point into the memory map and end with it; who outlives a file that is cut off reads them in
// guarded() calls. A store that gives a broken lookup must be closed.
class Snapshot {
  public:
    explicit Snapshot(Store& store) noexcept : store_(store), ok_(store.begin()) {}
    ~Snapshot() {
        if (ok_) {
            store_.end();
        }
    }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    // False where no snapshot could be had; the store's problem() says why.
    bool ok() const noexcept { return ok_; }

    const MetaRecord& meta() const noexcept { return store_.meta(); }

    // What a call that does several lookups returns, or broken where memory it reads is no longer
    // there. Guarding once is quicker than for each lookup, and takes in what is read of a record
    // afterwards. See rescue.hpp for what the call must not do.
    template <typename Call>
    Lookup guarded(Call&& call) noexcept {
        Lookup found = Lookup::broken;
        const int error = token_auth::guarded([&] {
            found = call();
            return MDB_SUCCESS;
        });
        if (error != MDB_SUCCESS) {
            store_.fail("read it", error);
            return Lookup::broken;
        }
        return found;
    }

    // Names are identifiers, those of decoded records or ones that is_identifier() took: that is
    // not checked again. `value`, where given, is set to the encoded record.
    Lookup token(const Digest& digest, TokenRecord& out,
                 std::string_view* value = nullptr) noexcept;
    Lookup organization(std::string_view id, OrganizationRecord& out) noexcept;
    Lookup user(std::string_view id, UserRecord& out) noexcept;
    Lookup membership(std::string_view user, std::string_view organization,
                      MembershipRecord& out) noexcept;
    Lookup role(std::string_view id, RoleRecord& out) noexcept;

  private:
    template <typename Record>
    Lookup find(std::string_view key, Record& out, std::string_view* value = nullptr) noexcept;

    Store& store_;
    bool ok_;
};

}  // namespace token_auth
