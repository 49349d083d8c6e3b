// A full load into a store that holds nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store_writer/change_set.hpp"
#include "store_writer/meta.hpp"
#include "store_writer/store_writer.hpp"

namespace token_auth::store_writer {

// Fills a store that holds nothing yet, in the order of the keys and in several transactions, so
// that memory stays bounded. Until finish() the store has no meta record, and so is none to
// readers; whoever finds it unfinished begins again.
class BulkLoader {
  public:
    explicit BulkLoader(StoreWriter& writer);

    void put(std::string_view key, std::string_view value);
    void finish(const std::string& source, const std::string& position);

    std::uint64_t records() const noexcept { return records_; }

  private:
    void flush();

    StoreWriter& writer_;
    Meta meta_;
    ChangeSet batch_;
    std::uint64_t records_ = 0;
};

}  // namespace token_auth::store_writer
