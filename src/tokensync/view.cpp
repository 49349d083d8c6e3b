#include "tokensync/view.hpp"

#include <fmt/core.h>

#include <memory>
#include <utility>

#include "store_writer/error.hpp"
#include "token_auth/store.hpp"

namespace token_auth::tokensync {

namespace {

// The core's own checks: what they refuse, nginx would not serve either.
store_writer::Environment open_checked(const std::string& path) {
    {
        const auto store = std::make_unique<Store>();
        if (!store->open(path.c_str())) {
            throw store_writer::StoreError(fmt::format("the store {}: {}", path, store->problem()));
        }
    }
    return store_writer::open_environment(path, MDB_RDONLY | MDB_NOTLS);
}

}  // namespace

View::View(const std::string& path) : path_(path), environment_(open_checked(path)) {
    store_writer::require_whole(environment_.get(), path_);
}

store_writer::TransactionHandle View::begin(store_writer::Meta& meta) const {
    store_writer::TransactionHandle transaction =
        store_writer::begin_reading(environment_.get(), path_);
    MDB_val key = store_writer::to_val(meta_key());
    MDB_val value{};
    const int error = store_writer::get(transaction.get(), key, value);
    if (error != MDB_SUCCESS) {
        store_writer::fail(path_, "read", error);
    }
    MetaRecord record;
    if (decode(store_writer::to_view(value), record) != MetaProblem::none) {
        throw store_writer::DamagedStore(
            fmt::format("the store {} is damaged: its meta record cannot be read", path_));
    }
    meta = store_writer::owned(record);
    return transaction;
}

}  // namespace token_auth::tokensync
