// A full load into a store that holds something: what is to be done to it, gathered in one pass.
#pragma once

#include <cstdint>
#include <string_view>

#include "store_writer/change_set.hpp"
#include "store_writer/meta.hpp"
#include "store_writer/write_txn.hpp"
#include "tokensync/sorted_diff.hpp"

namespace token_auth::tokensync {

// Takes everything that the store should hold, in the order of the keys.
class Merge : private Differences {
  public:
    // put() and finish() throw TooManyChanges if more than `changes_max` records differ.
    Merge(View& store, std::uint64_t changes_max)
        : changes_(changes_max), diff_(store, static_cast<Differences&>(*this)) {}

    void put(std::uint64_t key, std::string_view value) {
        contents_.count(key, value, +1);
        diff_.put(key, value);
    }
    void finish() { diff_.finish(); }

    const store_writer::ChangeSet& changes() const noexcept { return changes_; }
    // Of all that was given, so that a merge also mends counts that were wrong.
    const store_writer::Contents& contents() const noexcept { return contents_; }
    // What it takes out of the store.
    store_writer::Removed& removed() noexcept { return removed_; }

  private:
    void missing(std::uint64_t key, std::string_view value) override { changes_.put(key, value); }
    void differs(std::uint64_t key, std::string_view found, std::string_view value) override {
        changes_.put(key, value);
        note_removed(key, found, value);
    }
    void extra(std::uint64_t key, std::string_view found) override {
        changes_.erase(key);
        note_removed(key, found, {});
    }
    void note_removed(std::uint64_t key, std::string_view found, std::string_view value) {
        if (key < first_user_key) {
            removed_.add_tokens(key, found, value);
        } else if (key < first_suspension_key) {
            removed_.add_users(found, value);
        }
    }

    store_writer::ChangeSet changes_;
    SortedDiff diff_;
    store_writer::Contents contents_;
    store_writer::Removed removed_;
};

}  // namespace token_auth::tokensync
