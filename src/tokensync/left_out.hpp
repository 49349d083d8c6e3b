// Rows of the source that the store leaves out, because no record can hold them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/bad_row.hpp"
#include "store_writer/store_writer.hpp"

namespace token_auth::tokensync {

// Those of a sync that the store did not know as such, or with another problem.
struct NewlyLeftOut {
    std::uint64_t count = 0;
    std::vector<std::string> first;  // as in note_of()
};

class LeftOut {
  public:
    // What was left out before, `store` says.
    explicit LeftOut(const store_writer::StoreWriter& store)
        : any_(store.meta() && store.meta()->contents.counts.left_out != 0),
          entry_of_([&store](const std::string& id) { return store.note(id); }) {}

    // Makes the entry of a row (see notes.hpp).
    std::string add(const std::string& id, const registry::BadRow& row);
    // Whether the store leaves any row out, or the one of an id.
    bool any() const noexcept { return any_; }
    bool has(const std::string& id) const { return any_ && !entry_of_(id).empty(); }

    const NewlyLeftOut& newly() const noexcept { return newly_; }

  private:
    bool any_;
    std::function<std::string(const std::string& id)> entry_of_;
    NewlyLeftOut newly_;
};

// "the token "t1" has a name of more than 255 bytes"
std::string note_of(const registry::BadRow& row);

}  // namespace token_auth::tokensync
