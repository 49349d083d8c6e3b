// The least that a lookup by digest can cost with these libraries.
#pragma once

#include <lmdb.h>

#include <string>
#include <string_view>

#include "token_auth/digest.hpp"

namespace token_auth::bench {

class Floor {
  public:
    Floor() = default;
    ~Floor();
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;

    // Opens without LMDB's lock, so that a Store may have the same files open. Ends the program on
    // failure.
    void open(const std::string& path);

    // A bare mdb_get() in a transaction that stays open.
    bool get(const Digest& digest);

    // The quickest way to SHA-256 that libcrypto has.
    static void digest(std::string_view token, Digest& out);

  private:
    MDB_env* environment_ = nullptr;
    MDB_txn* transaction_ = nullptr;
};

}  // namespace token_auth::bench
