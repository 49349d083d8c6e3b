// The store as `status` and `check` read it: like nginx, without a lock.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store_writer/meta.hpp"
#include "token_auth/store.hpp"

namespace token_auth::tokensync {

class View {
  public:
    // store_writer::DamagedStore if there is no store or it cannot be read; of all that follows,
    // too.
    explicit View(const std::string& path);

    const std::string& path() const noexcept { return path_; }

    // Of the newest commit when it was asked last, or a run of records was read.
    const StoreMeta& meta();
    StoreSize size();

    // The records in the order of their keys, the meta record last. Each run of some thousand is of
    // one commit, the newest then: what differs from another source must be asked again.
    // False at the end. The value holds until the next call.
    bool next(std::uint64_t& key, std::string_view& value);
    // Goes on with the first record from a key on.
    void rewind(std::uint64_t from = 0);

    // The numbers of its roles and keys. Rewinds.
    store_writer::Numbers numbers();
    // Organizations that are suspended. Rewinds.
    std::set<std::string> suspended();

  private:
    [[noreturn]] void fail() const;

    std::string path_;
    Store store_;
    std::vector<char> buffer_;
    Run run_{};
    std::string_view rest_;
    std::size_t left_ = 0;  // records in rest_
};

// What a store's file takes of the disk.
std::uint64_t disk_bytes(const std::string& path);

}  // namespace token_auth::tokensync
