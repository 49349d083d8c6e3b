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

void BulkLoader::put(std::uint64_t key, std::string_view value) {
    contents_.count(key, value, +1);
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

void BulkLoader::finish(Meta meta, Numbers numbers) {
    flush();
    meta.contents = contents_;
    writer_.finish_load(std::move(meta), std::move(numbers));
}

}  // namespace token_auth::store_writer
