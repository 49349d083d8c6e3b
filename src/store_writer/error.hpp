// What can go wrong with the store, and what to do about it.
#pragma once

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
    // The remedy is `tokensync run --rebuild`, unless another one is given.
    explicit DamagedStore(const std::string& problem);
    DamagedStore(const std::string& problem, std::string_view remedy);

    const std::string& problem() const noexcept { return problem_; }

  private:
    std::string problem_;
};

// Another store is at the path by now: nothing was written to the one that is open.
class StoreReplaced : public StoreError {
  public:
    explicit StoreReplaced(const std::string& path);
};

// Not an error: the transaction is to be run again on a larger map.
class MapFull : public std::runtime_error {
  public:
    MapFull() : std::runtime_error("the store's map is full") {}
};

// Whoever gives records in the order of their keys did not.
class OutOfOrder : public std::runtime_error {
  public:
    OutOfOrder();
};

// What to do about an error of LMDB or the system.
std::string_view remedy(int error) noexcept;

// Throws the StoreError for an LMDB or system error: `doing` completes "cannot … the store <path>".
[[noreturn]] void fail(const std::string& path, const char* doing, int error);

// Throws the StoreError "cannot <doing> <file>: …".
[[noreturn]] void fail_file(const char* doing, const std::string& file, int error);
[[noreturn]] void fail_file(const char* doing, const std::string& file, int error,
                            std::string_view remedy);

}  // namespace token_auth::store_writer
