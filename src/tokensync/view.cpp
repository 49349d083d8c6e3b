#include "view.hpp"

#include <fmt/core.h>

#include <memory>
#include <utility>

#include "token_auth/store.hpp"

namespace token_auth::tokensync {

namespace {

// The core's own checks: what they refuse, nginx would not serve either.
Environment open_checked(const std::string& path) {
    {
        const auto store = std::make_unique<Store>();
        if (!store->open(path.c_str())) {
            throw StoreError(fmt::format("the store {}: {}", path, store->problem()));
        }
    }
    return open_environment(path, MDB_RDONLY | MDB_NOTLS);
}

}  // namespace

View::View(const std::string& path) : path_(path), environment_(open_checked(path)) {
    require_whole(environment_.get(), path_);
}

TransactionHandle View::begin(Meta& meta) const {
    TransactionHandle transaction = begin_reading(environment_.get(), path_);
    MDB_val key = to_val(meta_key());
    MDB_val value{};
    const int error = get(transaction.get(), key, value);
    if (error != MDB_SUCCESS) {
        fail(path_, "read", error);
    }
    MetaRecord record;
    if (decode(to_view(value), record) != MetaProblem::none) {
        throw DamagedStore(
            fmt::format("the store {} is damaged: its meta record cannot be read", path_));
    }
    meta = owned(record);
    return transaction;
}

}  // namespace token_auth::tokensync
