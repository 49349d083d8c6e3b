// A full load into a store that holds something: one transaction, one pass over both.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store_writer/lmdb.hpp"
#include "store_writer/write_txn.hpp"

namespace token_auth::store_writer {

// More differs than one transaction should hold; nothing was written.
class TooManyDifferences : public std::runtime_error {
  public:
    TooManyDifferences() : std::runtime_error("too much of the store differs") {}
};

// Makes the store's content what it is given, in the order of the keys: what is missing from it
// and what differs is written, and what was not given is erased by finish().
class SortedDiff {
  public:
    // Throws TooManyDifferences where more than `differences_max` records differ.
    SortedDiff(WriteTxn& change, std::uint64_t differences_max);

    void put(std::string_view key, std::string_view value);
    void finish();

  private:
    void require_few_differences() const;
    void erase_before(std::string_view key);
    void seek(std::string_view key);
    void step();

    WriteTxn& change_;
    std::uint64_t differences_max_;
    Cursor cursor_;
    bool at_end_ = false;
    std::string_view key_;  // of the record that the cursor is on
    std::string_view value_;
    std::string last_;  // the key given last
};

}  // namespace token_auth::store_writer
