#include "tokensync/view.hpp"

#include <fmt/core.h>

#include "store_writer/error.hpp"

namespace token_auth::tokensync {

View::View(const std::string& path) : path_(path), buffer_(std::size_t{256} * 1024) {
    if (!store_.open(path_.c_str())) {
        fail();
    }
}

void View::fail() const {
    throw store_writer::StoreError(fmt::format("the store {}: {}", path_, store_.problem()));
}

const StoreMeta& View::meta() {
    if (store_.read([](Snapshot&) { return Found::found; }) == Lookup::broken) {
        fail();
    }
    return store_.meta();
}

StoreSize View::size() {
    StoreSize size;
    if (store_.read([&](Snapshot& snapshot) { return snapshot.size(size); }) == Lookup::broken) {
        fail();
    }
    return size;
}

void View::rewind() {
    run_ = {};
    left_ = 0;
}

bool View::next(std::uint64_t& key, std::string_view& value) {
    while (left_ == 0) {
        if (run_.at_end) {
            return false;
        }
        if (run_.missing > buffer_.size()) {
            buffer_.resize(run_.missing);
        }
        const std::uint64_t from = run_.next;
        const Lookup read = store_.read([&](Snapshot& snapshot) {
            return snapshot.run(from, buffer_.data(), buffer_.size(), run_);
        });
        if (read == Lookup::broken) {
            fail();
        }
        rest_ = {buffer_.data(), buffer_.size()};
        left_ = run_.count;
    }
    --left_;
    return next_record(rest_, key, value);
}

}  // namespace token_auth::tokensync
