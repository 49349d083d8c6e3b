// The records of a store in the order of their keys.
#pragma once

#include <string>
#include <string_view>

#include "store_writer/lmdb.hpp"

namespace token_auth::store_writer {

// The one way through a store, without its meta record. Views hold until the next step, or the end
// of the transaction. Throws StoreError.
class RecordCursor {
  public:
    // On the first record.
    RecordCursor(MDB_txn* transaction, const std::string& path);

    bool at_end() const noexcept { return at_end_; }
    std::string_view key() const noexcept { return key_; }
    std::string_view value() const noexcept { return value_; }
    void next() { step(MDB_NEXT); }

  private:
    void step(MDB_cursor_op operation);

    std::string path_;
    Cursor cursor_;
    bool at_end_ = false;
    std::string_view key_;
    std::string_view value_;
};

}  // namespace token_auth::store_writer
