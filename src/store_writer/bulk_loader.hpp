// A full load into a store that holds nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "store_writer/change_set.hpp"
#include "store_writer/meta.hpp"
#include "store_writer/store_writer.hpp"

namespace token_auth::store_writer {

// Fills a store that holds nothing yet, in the order of the keys and in several transactions, so
// that memory stays bounded. Until finish() it is no store to readers; whoever finds it unfinished
// begins again.
class BulkLoader {
  public:
    explicit BulkLoader(StoreWriter& writer);

    void put(std::uint64_t key, std::string_view value);
    // `numbers` are those that the records have. The rest of `meta` as for StoreWriter::commit.
    void finish(Meta meta, Numbers numbers);

    std::uint64_t records() const noexcept { return records_; }

  private:
    void flush();

    StoreWriter& writer_;
    Contents contents_;
    ChangeSet batch_;
    std::uint64_t records_ = 0;
};

}  // namespace token_auth::store_writer
