#include "store_writer/bulk_loader.hpp"

#include <utility>

namespace token_auth::store_writer {
namespace {

// Bytes between two commits: what a load takes of memory, a few times over.
constexpr std::size_t batch_max = std::size_t{32} << 20;

}  // namespace

BulkLoader::BulkLoader(StoreWriter& writer) : writer_(writer), batch_(UINT64_MAX) {
    writer_.begin_load();
}

void BulkLoader::put(std::string_view key, std::string_view value) {
    meta_.count(key, value, +1);
    batch_.put(key, value);
    ++records_;
    if (batch_.bytes() >= batch_max) {
        flush();
    }
}

void BulkLoader::flush() {
    writer_.append(batch_);
    batch_.clear();
}

void BulkLoader::finish(const std::string& source, const std::string& position) {
    flush();
    meta_.source = source;
    meta_.position = position;
    writer_.finish_load(std::move(meta_));
}

}  // namespace token_auth::store_writer
