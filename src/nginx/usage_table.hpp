// The last use of tokens, in memory that processes share.
//
// A table of fixed size: a token has its place among four, found by its digest. Whoever writes an
// entry makes its version odd meanwhile. Nobody waits for anybody: a place whose writer died stays
// odd, and is not used any more.
//
// Periods tell which uses an answer holds. Each round of answers ends one, and its number is the
// cursor: the next round takes what was noted in later periods. An entry counts the uses of its
// last period, and apart from these, earlier ones that no cursor has confirmed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "token_auth/address.hpp"

namespace token_auth::nginx {

// Plain data: nothing runs when the module is loaded or unloaded.
struct Use {
    std::uint64_t tag;  // of the token: some bits of its digest
    std::int64_t time;  // Unix seconds
    std::uint64_t count;
    Address address;
    std::uint8_t id_size;
    char id[64];

    std::string_view id_view() const noexcept { return {id, id_size}; }
    void set_id(std::string_view text) noexcept {
        id_size = static_cast<std::uint8_t>(std::min(text.size(), sizeof(id)));
        std::memcpy(id, text.data(), id_size);
    }
};

// How far a reader is.
struct UsageCursor {
    std::uint64_t since = 0;  // the last period that earlier rounds told of
    std::uint64_t until = 0;  // the last period of this round; 0: it has not begun
    std::size_t next = 0;     // the place to go on from
};

struct UsageEntry;

class UsageTable {
  public:
    static constexpr std::size_t entry_size = 128;

    // `entries` are zeros, of a number that is a power of two and at least 4, aligned to a cache
    // line. They and the table must live as long as anybody uses it.
    UsageTable(void* entries, std::size_t count, std::uint64_t epoch) noexcept;
    UsageTable(const UsageTable&) = delete;
    UsageTable& operator=(const UsageTable&) = delete;

    // Of each use all but the count. It fetches the memory that all of them need at once, which
    // takes little longer than for one.
    void note(const Use* uses, std::size_t count) noexcept;

    // Whether a table of this epoch may have given the cursor.
    bool is_possible(const UsageCursor& cursor) const noexcept;

    // Visits (`const Use&`) some of the uses that follow the cursor, and moves it. False if the
    // round goes on. Confirms what came before the cursor.
    template <typename Visit>
    bool read(UsageCursor& cursor, Visit visit) noexcept {
        begin_round(cursor);
        const std::size_t end = end_of_part(cursor);
        for (; cursor.next < end; ++cursor.next) {
            Use use;
            if (copy(cursor, use)) {
                visit(use);
            }
        }
        return end_part(cursor);
    }

    std::uint64_t epoch() const noexcept { return epoch_; }
    // The last period that a cursor confirmed.
    std::uint64_t confirmed() const noexcept { return confirmed_.load(); }
    // Uses that found no place, and tokens that lost theirs before a cursor confirmed it, or whose
    // writer did not let go of it.
    std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

  private:
    void prefetch(std::uint64_t tag) const noexcept;
    UsageEntry* choose(std::uint64_t tag, bool wait) noexcept;
    UsageEntry* choose_and_lock(std::uint64_t tag) noexcept;
    bool write(UsageEntry& entry, const Use& use, std::uint64_t period) noexcept;
    void begin_round(UsageCursor& cursor) noexcept;
    std::size_t end_of_part(const UsageCursor& cursor) const noexcept;
    bool copy(const UsageCursor& cursor, Use& out) noexcept;
    bool end_part(UsageCursor& cursor) const noexcept;

    UsageEntry* entries_;
    std::size_t count_;
    std::uint64_t epoch_;
    // Read by each use, and written by rounds only.
    alignas(64) std::atomic<std::uint64_t> period_{1};
    std::atomic<std::uint64_t> confirmed_{0};
    alignas(64) std::atomic<std::uint64_t> lost_{0};
};

}  // namespace token_auth::nginx
