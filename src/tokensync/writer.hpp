// The one piece that writes the store.
//
// One store, one writer (see directory.hpp). Each commit is durable and carries the meta record:
// a generation higher than any before, the time, exact counts, and how far in the source's log the
// content reaches. Nothing is visible to a reader before its commit.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "change.hpp"
#include "directory.hpp"
#include "lmdb.hpp"

namespace token_auth::tokensync {

class Writer {
  public:
    // Opens the store for writing and makes it where there is none. Throws StoreError.
    explicit Writer(const StoreOptions& options);

    const std::string& path() const noexcept { return directory_.path(); }

    // As of the last commit; empty where the store holds no content yet.
    const std::optional<Meta>& meta() const noexcept { return meta_; }

    // Whether the directory still leads to the files that are open.
    bool in_place() const noexcept { return directory_.in_place(); }

    // Runs `body` in one transaction and commits. Where the map is full, it is grown and `body`
    // runs again from the start. An exception of body's leaves the store as it was.
    Tally commit(const std::function<void(Change&)>& body);

  private:
    friend class Load;

    // Runs `body` in a transaction, without a meta record of its own.
    void transact(const std::function<void(MDB_txn*)>& body);
    void put_meta(MDB_txn* transaction, Meta& meta);
    void grow();

    Directory directory_;
    Environment environment_;
    std::optional<Meta> meta_;
};

}  // namespace token_auth::tokensync
