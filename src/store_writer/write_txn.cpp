#include "store_writer/write_txn.hpp"

#include "store_writer/error.hpp"

namespace token_auth::store_writer {

bool WriteTxn::find(std::string_view key, std::string_view& value) const {
    MDB_val name = to_val(key);
    MDB_val found{};
    const int error = get(transaction_, name, found);
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) {
        fail(path_, "read", error);
    }
    value = error == MDB_SUCCESS ? to_view(found) : std::string_view();
    return error == MDB_SUCCESS;
}

void WriteTxn::count(std::string_view key, std::string_view value, int by) {
    if (meta_ != nullptr) {
        meta_->count(key, value, by);
    }
}

void WriteTxn::put(std::string_view key, std::string_view value) {
    std::string_view old;
    if (find(key, old)) {
        if (old == value) {
            return;
        }
        count(key, old, -1);
    }
    count(key, value, +1);
    MDB_val name = to_val(key);
    MDB_val data = to_val(value);
    require_written(store_writer::put(transaction_, name, data), path_);
    ++tally_.written;
}

void WriteTxn::erase(std::string_view key) {
    std::string_view old;
    if (!find(key, old)) {
        return;
    }
    count(key, old, -1);
    MDB_val name = to_val(key);
    require_written(store_writer::erase(transaction_, name), path_);
    ++tally_.erased;
    tally_.tokens_erased += is_token_key(key) ? 1 : 0;
}

}  // namespace token_auth::store_writer
