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

#include "store_writer/directory.hpp"
#include "store_writer/lmdb.hpp"
#include "store_writer/write_txn.hpp"

namespace token_auth::store_writer {

class StoreWriter {
  public:
    // Opens the store for writing and makes it where there is none. Throws StoreError. A store of
    // ours that is damaged beyond use is no error: see damage().
    explicit StoreWriter(const StoreOptions& options);

    // Opens or makes a store in a directory that is held already. Generations are higher than the
    // one given.
    StoreWriter(Directory directory, std::uint64_t generation);

    const std::string& path() const noexcept { return directory_.path(); }
    const Site& site() const noexcept { return directory_.site(); }
    MDB_env* environment() const noexcept { return environment_.get(); }

    // As of the last commit; empty where the store holds no content yet.
    const std::optional<Meta>& meta() const noexcept { return meta_; }

    // Why the store that is there can be replaced only (see rebuild.hpp); empty where it can be
    // written.
    const std::string& damage() const noexcept { return damage_; }

    // No generation so far was higher.
    std::uint64_t generation() const noexcept { return generation_; }

    void raise(std::uint64_t generation) noexcept {
        generation_ = std::max(generation_, generation);
    }

    // Whether the directory still leads to the files that are open.
    bool in_place() const noexcept { return directory_.in_place(); }

    // Runs `body` in one transaction and commits. Where the map is full, it is grown and `body`
    // runs again from the start. An exception of body's leaves the store as it was. Where body sets
    // `synced` in the change's meta record, that is kept; otherwise it is now.
    Tally commit(const std::function<void(WriteTxn&)>& body);

    // The directory is now another site's.
    void moved(const Site& site) { directory_.moved(site); }

  private:
    friend class BulkLoader;

    void open();
    // Runs `body` in a transaction, without a meta record of its own.
    void transact(const std::function<void(MDB_txn*)>& body);
    TransactionHandle begin();
    void require_unchanged(MDB_txn* transaction) const;
    void put_meta(MDB_txn* transaction, Meta& meta);
    void grow();

    Directory directory_;
    std::uint64_t generation_ = 0;
    Environment environment_;
    std::optional<Meta> meta_;
    std::string damage_;
};

// The meta record of a transaction; empty where the store holds no content yet. Throws DamagedStore
// where it cannot be read, and StoreError where the environment holds another program's data.
std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path);

}  // namespace token_auth::store_writer
