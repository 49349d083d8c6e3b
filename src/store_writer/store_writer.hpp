// The one piece that writes the store.
//
// One store, one writer (see sync_lock.hpp). Each commit is durable and carries the meta record: a
// generation higher than any before, the transaction's number, the time, exact counts, and how far
// in the source's log the content reaches. Nothing is visible to a reader before its commit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "store_writer/change_set.hpp"
#include "store_writer/directory.hpp"
#include "store_writer/lmdb.hpp"
#include "store_writer/meta.hpp"
#include "store_writer/sync_lock.hpp"
#include "store_writer/write_txn.hpp"

namespace token_auth::store_writer {

class Replacement;

// How to look at a store.
struct Inspection {
    bool known = false;         // tokensync made it: the lock file says so
    bool rebuild = false;       // whoever runs this says so, if it is damaged
    bool read_through = false;  // every record, not only the first pages
};

class StoreWriter {
  public:
    // Looks at the store in a directory without liblmdb, which a damaged one may crash: what is
    // wrong with it, empty if nothing is, or if there is none. Throws if the directory is to be
    // left alone.
    using Inspect = std::function<std::string(const std::string& directory, const Inspection& how)>;

    // Opens the store for writing and makes it if there is none; holds its lock. Throws StoreError.
    // A store of ours that is damaged is no error: see damage().
    StoreWriter(const StoreOptions& options, const Inspect& inspect);

    // Makes a store in a directory that nobody else knows of. Generations are higher than the one
    // given.
    StoreWriter(Directory directory, std::uint64_t generation);

    ~StoreWriter();
    StoreWriter(const StoreWriter&) = delete;
    StoreWriter& operator=(const StoreWriter&) = delete;

    const std::string& path() const noexcept { return directory_.path(); }
    const Site& site() const noexcept { return directory_.site(); }
    const SyncLock& lock() const noexcept { return *lock_; }
    Size size() const { return size_of(environment_.get(), path()); }

    // As of the last commit; empty if the store holds no content yet.
    const std::optional<Meta>& meta() const noexcept { return meta_; }
    const Numbers& numbers() const noexcept { return numbers_; }
    // The entry of a row that is left out (see notes.hpp), as of the last commit; empty if it is
    // not.
    std::string note(std::string_view id) const;

    // Why the store that is there can be replaced only (see rebuild.hpp); empty if it can be
    // written.
    const std::string& damage() const noexcept { return damage_; }

    // No generation so far was higher.
    std::uint64_t generation() const noexcept { return generation_; }
    void raise(std::uint64_t generation) noexcept;

    // Whether the directory still leads to the file that is open.
    bool in_place() const noexcept { return directory_.in_place(); }

    // Applies the changes in one transaction, which grows the map if it must. Of `meta` it takes
    // source, position, and if they are not 0 `synced` (else it is now) and `created` (else as it
    // was). `numbers` are those that the changes use. `counted` is what the store holds after the
    // changes; null: they are counted. `kept` are more changes, counted always, to be applied
    // after those; null: none. Before it commits, `approve` may throw: any exception leaves the
    // store as it was.
    Tally commit(const ChangeSet& changes, const Meta& meta, const Numbers& numbers,
                 const Contents* counted, const ChangeSet* kept = nullptr,
                 const std::function<void(const Tally&)>& approve = {});

    // For BulkLoader: empties the store, which is none to readers until the load is finished;
    // appends records behind all others; makes a store of it.
    void begin_load();
    void append(const ChangeSet& batch);
    void finish_load(Meta meta, Numbers numbers);

    // Has the kernel keep the file in pieces as large as it can.
    void read_into_memory();

    // Puts this store, made by a replacement, in the place of `old`, whose lock it takes.
    void take_place_of(StoreWriter& old, Replacement& beside);

  private:
    void open();
    // Runs `body` in a transaction, again from the start each time the map had to grow.
    void transact(const std::function<void(MDB_txn*)>& body);
    TransactionHandle begin_writing();
    void require_unchanged(MDB_txn* transaction) const;
    void grow();
    // The meta record to be, from what a caller says.
    Meta next_meta(const Meta& meta) const;
    void adopt(Meta meta, Numbers numbers);

    std::unique_ptr<SyncLock> lock_;  // null: nobody knows of the store yet
    Directory directory_;
    std::uint64_t generation_ = 0;
    Environment environment_;
    std::optional<Meta> meta_;
    Numbers numbers_;
    std::string damage_;
};

}  // namespace token_auth::store_writer
