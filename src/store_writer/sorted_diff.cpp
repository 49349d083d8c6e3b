#include "store_writer/sorted_diff.hpp"

#include <stdexcept>

#include "token_auth/record.hpp"

namespace token_auth::store_writer {

SortedDiff::SortedDiff(WriteTxn& change, std::uint64_t differences_max)
    : change_(change),
      differences_max_(differences_max),
      cursor_(open_cursor(change.transaction_, change.path_)) {
    // Counted anew, so that a full load also mends counts that were wrong.
    change_.meta_.counts = Counts{};
    change_.meta_.key_uses.clear();
    seek({});
}

void SortedDiff::seek(std::string_view key) {
    MDB_val name = to_val(key);
    MDB_val value{};
    const int error =
        cursor_get(cursor_.get(), name, value, key.empty() ? MDB_FIRST : MDB_SET_RANGE);
    at_end_ = error == MDB_NOTFOUND;
    if (error != MDB_SUCCESS && !at_end_) {
        fail(change_.path_, "read", error);
    }
    key_ = at_end_ ? std::string_view() : to_view(name);
    value_ = at_end_ ? std::string_view() : to_view(value);
}

void SortedDiff::step() {
    MDB_val name{};
    MDB_val value{};
    const int error = cursor_get(cursor_.get(), name, value, MDB_NEXT);
    at_end_ = error == MDB_NOTFOUND;
    if (error != MDB_SUCCESS && !at_end_) {
        fail(change_.path_, "read", error);
    }
    key_ = at_end_ ? std::string_view() : to_view(name);
    value_ = at_end_ ? std::string_view() : to_view(value);
}

void SortedDiff::require_few_differences() const {
    if (change_.tally().written + change_.tally().erased > differences_max_) {
        throw TooManyDifferences();
    }
}

// Before `key`, or to the end where `key` is empty.
void SortedDiff::erase_before(std::string_view key) {
    while (!at_end_ && (key.empty() || key_ < key)) {
        if (key_ == meta_key()) {
            step();
            continue;
        }
        const std::string erased(key_);
        require_written(cursor_erase(cursor_.get()), change_.path_);
        change_.count_erased(erased);
        require_few_differences();
        seek(erased);
    }
}

void SortedDiff::put(std::string_view key, std::string_view value) {
    if (!last_.empty() && key <= last_) {
        throw std::runtime_error(
            "the registry gave its records out of order: its database does not compare text byte "
            "by byte; use a database with the collation C");
    }
    last_ = key;
    erase_before(key);
    count(change_.meta_, key, value, +1);
    const bool there = !at_end_ && key_ == key;
    if (there && value_ == value) {
        step();
        return;
    }
    change_.write(key, value);
    require_few_differences();
    if (!at_end_) {
        // The write may have moved the page under the cursor.
        seek(key);
        step();
    }
}

void SortedDiff::finish() {
    erase_before({});
}

}  // namespace token_auth::store_writer
