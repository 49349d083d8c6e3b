// The store, opened to be read by `status` and `check`. Creates and changes nothing.
#pragma once

#include <cstdint>
#include <string>

#include "change.hpp"
#include "lmdb.hpp"

namespace token_auth::tokensync {

class View {
  public:
    // StoreError where there is no store or it cannot be read.
    explicit View(const std::string& path);

    const std::string& path() const noexcept { return path_; }
    MDB_env* environment() const noexcept { return environment_.get(); }

    // A snapshot, with its meta record read into `meta`.
    TransactionHandle begin(Meta& meta) const;

  private:
    std::string path_;
    Environment environment_;
};

}  // namespace token_auth::tokensync
