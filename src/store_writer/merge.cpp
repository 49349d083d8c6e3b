#include "store_writer/merge.hpp"

namespace token_auth::store_writer {

Merge::Merge(const StoreWriter& writer, std::uint64_t changes_max)
    : transaction_(begin_reading(writer.environment(), writer.path())), changes_(changes_max) {
    diff_.emplace(RecordCursor(transaction_.get(), writer.path()),
                  static_cast<Differences&>(*this));
}

void Merge::put(std::string_view key, std::string_view value) {
    meta_.count(key, value, +1);
    diff_->put(key, value);
}

void Merge::finish() {
    diff_->finish();
    diff_.reset();
    transaction_.reset();
}

void Merge::missing(std::string_view key, std::string_view value) {
    changes_.put(key, value);
}

void Merge::differs(std::string_view key, std::string_view /*found*/, std::string_view value) {
    changes_.put(key, value);
}

void Merge::extra(std::string_view key, std::string_view /*found*/) {
    changes_.erase(key);
    tokens_erased_ += is_token_key(key) ? 1 : 0;
}

}  // namespace token_auth::store_writer
