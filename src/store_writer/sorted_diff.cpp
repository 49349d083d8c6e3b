#include "store_writer/sorted_diff.hpp"

#include "store_writer/error.hpp"

namespace token_auth::store_writer {

// Before `key`, or to the end if it is empty.
void SortedDiff::pass_until(std::string_view key) {
    for (; !store_.at_end() && (key.empty() || store_.key() < key); store_.next()) {
        differences_.extra(store_.key(), store_.value());
    }
}

void SortedDiff::put(std::string_view key, std::string_view value) {
    if (!last_.empty() && key <= last_) {
        throw OutOfOrder();
    }
    last_ = key;
    pass_until(key);
    if (store_.at_end() || store_.key() != key) {
        differences_.missing(key, value);
        return;
    }
    if (store_.value() != value) {
        differences_.differs(key, store_.value(), value);
    }
    store_.next();
}

void SortedDiff::finish() {
    pass_until({});
}

}  // namespace token_auth::store_writer
