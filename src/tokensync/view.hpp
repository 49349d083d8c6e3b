// The store, opened to be read by `status` and `check`. Creates and changes nothing.
#pragma once

#include <cstdint>
#include <string>

#include "store_writer/lmdb.hpp"
#include "store_writer/meta.hpp"

namespace token_auth::tokensync {

class View {
  public:
    // StoreError if there is no store or it cannot be read.
    explicit View(const std::string& path);

    const std::string& path() const noexcept { return path_; }
    MDB_env* environment() const noexcept { return environment_.get(); }

    // A snapshot, with its meta record read into `meta`.
    store_writer::TransactionHandle begin(store_writer::Meta& meta) const;

  private:
    std::string path_;
    store_writer::Environment environment_;
};

}  // namespace token_auth::tokensync
