// The one piece that writes the store.
//
// One store, one writer (see directory.hpp). Each commit is durable and carries the meta record:
// a generation higher than any before, the time, exact counts, and how far in the source's log the
// content reaches. Nothing is visible to a reader before its commit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "store_writer/change_set.hpp"
#include "store_writer/directory.hpp"
#include "store_writer/lmdb.hpp"
#include "store_writer/write_txn.hpp"

namespace token_auth::store_writer {

class StoreWriter {
  public:
    // Opens the store for writing and makes it if there is none. Throws StoreError. A store of
    // ours that is damaged beyond use is no error: see damage().
    explicit StoreWriter(const StoreOptions& options);

    // Opens or makes a store in a directory that is held already. Generations are higher than the
    // one given.
    StoreWriter(Directory directory, std::uint64_t generation);

    const std::string& path() const noexcept { return directory_.path(); }
    const Site& site() const noexcept { return directory_.site(); }
    MDB_env* environment() const noexcept { return environment_.get(); }

    // As of the last commit; empty if the store holds no content yet.
    const std::optional<Meta>& meta() const noexcept { return meta_; }

    // Why the store that is there can be replaced only (see rebuild.hpp); empty if it can be
    // written.
    const std::string& damage() const noexcept { return damage_; }

    // No generation so far was higher.
    std::uint64_t generation() const noexcept { return generation_; }

    void raise(std::uint64_t generation) noexcept {
        generation_ = std::max(generation_, generation);
    }

    // Whether the directory still leads to the files that are open.
    bool in_place() const noexcept { return directory_.in_place(); }

    // Applies the changes in one transaction, which grows the map if it must. `meta` says source
    // and position, and if they are not 0 `synced` (else it is now) and `created` (else as it was);
    // its counts and uses of keys are taken if `counted`, else the changes are counted. Before it
    // commits, `approve` may throw: any exception leaves the store as it was.
    Tally commit(const ChangeSet& changes, const Meta& meta, bool counted,
                 const std::function<void(const Tally&)>& approve = {});

    // For BulkLoader: empties the store, which is none to readers until the load is finished;
    // appends records behind all others; makes a store of it.
    void begin_load();
    void append(const ChangeSet& batch);
    void finish_load(Meta meta);

    // The directory is now another site's.
    void moved(const Site& site) { directory_.moved(site); }

  private:
    void open();
    // Runs `body` in a transaction, again from the start each time the map had to grow.
    void transact(const std::function<void(MDB_txn*)>& body);
    TransactionHandle begin_writing();
    void require_unchanged(MDB_txn* transaction) const;
    // The meta record to be, from what a caller says.
    Meta next_meta(const Meta& meta) const;
    void adopt(Meta meta);
    void grow();

    Directory directory_;
    std::uint64_t generation_ = 0;
    Environment environment_;
    std::optional<Meta> meta_;
    std::string damage_;
};

}  // namespace token_auth::store_writer
