// One pass over a store and what it should hold, both in the order of the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tokensync/view.hpp"

namespace token_auth::tokensync {

// Takes the differences; does nothing with them unless overridden.
class Differences {
  public:
    virtual ~Differences() = default;
    virtual void missing(std::uint64_t /*key*/, std::string_view /*value*/) {}
    virtual void differs(std::uint64_t /*key*/, std::string_view /*found*/,
                         std::string_view /*value*/) {}
    virtual void extra(std::uint64_t /*key*/, std::string_view /*found*/) {}
};

class SortedDiff {
  public:
    // Goes through the store from its first record on.
    SortedDiff(View& store, Differences& differences);

    // A record that the store should hold. Throws store_writer::OutOfOrder.
    void put(std::uint64_t key, std::string_view value);
    // That was all.
    void finish() { pass_until(meta_record_key); }

  private:
    void next();
    void pass_until(std::uint64_t key);

    View& store_;
    Differences& differences_;
    std::uint64_t key_ = 0;  // of the record of the store that is next; meta_record_key at the end
    std::string_view value_;
    std::optional<std::uint64_t> last_;  // the key given last
};

}  // namespace token_auth::tokensync
