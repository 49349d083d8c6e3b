// One pass over a store and what it should hold, both in the order of the keys.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "store_writer/record_cursor.hpp"

namespace token_auth::store_writer {

// Takes the differences; does nothing with them unless overridden.
class Differences {
  public:
    virtual ~Differences() = default;
    virtual void missing(std::string_view /*key*/, std::string_view /*value*/) {}
    virtual void differs(std::string_view /*key*/, std::string_view /*found*/,
                         std::string_view /*value*/) {}
    virtual void extra(std::string_view /*key*/, std::string_view /*found*/) {}
};

class SortedDiff {
  public:
    // What is told to `differences` is to be done with afterwards: the store must stay as it is.
    SortedDiff(RecordCursor store, Differences& differences)
        : store_(std::move(store)), differences_(differences) {}

    // A record that the store should hold. Throws std::runtime_error if they are out of order.
    void put(std::string_view key, std::string_view value);
    // That was all.
    void finish();

  private:
    void pass_until(std::string_view key);

    RecordCursor store_;
    Differences& differences_;
    std::string last_;  // the key given last
};

}  // namespace token_auth::store_writer
