#include "tokensync/sorted_diff.hpp"

#include "store_writer/error.hpp"

namespace token_auth::tokensync {

SortedDiff::SortedDiff(View& store, Differences& differences)
    : store_(store), differences_(differences) {
    store_.rewind();
    next();
}

void SortedDiff::next() {
    if (!store_.next(key_, value_)) {
        key_ = meta_record_key;
    }
}

void SortedDiff::pass_until(std::uint64_t key) {
    for (; key_ < key; next()) {
        differences_.extra(key_, value_);
    }
}

void SortedDiff::put(std::uint64_t key, std::string_view value) {
    if (last_ && key <= *last_) {
        throw store_writer::OutOfOrder();
    }
    last_ = key;
    pass_until(key);
    if (key_ != key) {
        differences_.missing(key, value);
        return;
    }
    if (value_ != value) {
        differences_.differs(key, value_, value);
    }
    next();
}

}  // namespace token_auth::tokensync
