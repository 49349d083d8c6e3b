// A new store made beside the one there is, to take its place as a whole.
//
// It is made in the directory ".<name>.tokensync" beside the store's directory <name>, and the two
// are exchanged in one step: at every moment one of them is at the store's path, whole. What an
// interrupted one leaves there is removed by the next.
//
// Source: rename(2), RENAME_EXCHANGE.
#pragma once

#include <chrono>
#include <string>

#include "base/file_descriptor.hpp"
#include "store_writer/directory.hpp"
#include "store_writer/error.hpp"

namespace token_auth::store_writer {

// The store cannot be replaced as a whole where it is; what() says why and what to do about it.
class NotReplaceable : public StoreError {
  public:
    using StoreError::StoreError;
};

class Replacement {
  public:
    // Makes the directory, and locks it against others that want to replace the store; waits that
    // long for them. Throws NotReplaceable, or another StoreError if the wait was in vain.
    Replacement(const Site& site, std::chrono::milliseconds wait);

    // Removes what was made, unless it took the store's place.
    ~Replacement();
    Replacement(const Replacement&) = delete;
    Replacement& operator=(const Replacement&) = delete;

    // The new store's directory, to be filled; it holds the lock.
    Directory take_directory();

    // Makes the exchange, durably, and removes what was there before. Everything in the new
    // directory must be on disk and have its modes. Throws StoreReplaced, with all as it was, if
    // another directory than that of the site is there by now.
    void take_place();

  private:
    void require_possible() const;
    void require_exchange() const;
    void exchange() const;

    Site site_;
    std::string parent_;
    std::string path_;
    base::FileDescriptor lock_;
};

// Removes what an interrupted replacement left beside the store, if there is something and
// nobody is at it.
void remove_leftover(const Site& site) noexcept;

}  // namespace token_auth::store_writer
