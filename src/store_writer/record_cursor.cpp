#include "store_writer/record_cursor.hpp"

#include "store_writer/error.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {

RecordCursor::RecordCursor(MDB_txn* transaction, const std::string& path)
    : path_(path), cursor_(open_cursor(transaction, path)) {
    step(MDB_FIRST);
}

void RecordCursor::step(MDB_cursor_op operation) {
    MDB_val key{};
    MDB_val value{};
    int error = cursor_get(cursor_.get(), key, value, operation);
    if (error == MDB_SUCCESS && to_view(key) == meta_key()) {
        error = cursor_get(cursor_.get(), key, value, MDB_NEXT);
    }
    at_end_ = error == MDB_NOTFOUND;
    if (error != MDB_SUCCESS && !at_end_) {
        fail(path_, "read", error);
    }
    key_ = at_end_ ? std::string_view() : to_view(key);
    value_ = at_end_ ? std::string_view() : to_view(value);
}

}  // namespace token_auth::store_writer
