// A full load into a store that holds something: what is to be done to it, gathered in one pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "store_writer/change_set.hpp"
#include "store_writer/sorted_diff.hpp"
#include "store_writer/store_writer.hpp"

namespace token_auth::store_writer {

// Takes everything that the store should hold, in the order of the keys.
class Merge : private Differences {
  public:
    // put() and finish() throw TooManyChanges if more than `changes_max` records differ.
    Merge(const StoreWriter& writer, std::uint64_t changes_max);

    void put(std::string_view key, std::string_view value);
    void finish();

    const ChangeSet& changes() const noexcept { return changes_; }
    // With the counts of all that was given, so that a merge also mends counts that were wrong.
    Meta& meta() noexcept { return meta_; }
    std::uint64_t tokens_erased() const noexcept { return tokens_erased_; }

  private:
    void missing(std::string_view key, std::string_view value) override;
    void differs(std::string_view key, std::string_view found, std::string_view value) override;
    void extra(std::string_view key, std::string_view found) override;

    TransactionHandle transaction_;
    std::optional<SortedDiff> diff_;
    ChangeSet changes_;
    Meta meta_;
    std::uint64_t tokens_erased_ = 0;
};

}  // namespace token_auth::store_writer
