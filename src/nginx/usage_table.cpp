#include "nginx/usage_table.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>

namespace token_auth::nginx {

// What a use of a known token writes is one cache line.
struct UsageEntry {
    std::atomic<std::uint32_t> version;  // odd: somebody writes, or died over it
    std::uint8_t id_size;
    Address address;
    std::atomic<std::uint64_t> tag;  // 0 and period 0: empty
    std::atomic<std::uint64_t> period;
    std::uint64_t pending_period;  // the last one of the uses that are pending
    std::int64_t time;
    // Billions that nobody asks for come about within days, so these stay at their highest value.
    std::uint32_t fresh;    // uses in `period`
    std::uint32_t pending;  // in earlier ones
    alignas(64) char id[64];
};

namespace {

static_assert(sizeof(UsageEntry) == UsageTable::entry_size);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared memory holds no lock");

constexpr std::size_t ways = 4;
constexpr int tries = 64;
constexpr std::size_t part = 8192;  // entries that an answer looks at, so that others wait less

// False if somebody else writes.
bool lock(UsageEntry& entry) noexcept {
    std::uint32_t version = entry.version.load(std::memory_order_relaxed);
    if (version % 2 != 0 ||
        !entry.version.compare_exchange_strong(version, version + 1, std::memory_order_acquire)) {
        return false;
    }
    std::atomic_thread_fence(std::memory_order_release);  // what is written is seen after it
    return true;
}

std::uint32_t saturated_sum(std::uint32_t a, std::uint32_t b) noexcept {
    return a + std::min(b, UINT32_MAX - a);
}

void unlock(UsageEntry& entry) noexcept {
    entry.version.store(entry.version.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
}

}  // namespace

UsageTable::UsageTable(void* entries, std::size_t count, std::uint64_t epoch) noexcept
    : entries_(static_cast<UsageEntry*>(entries)), count_(count), epoch_(epoch) {}

// Returns the token's entry; else the one of the four that was not used for longest. Null if all
// are being written. `wait`: an entry of the token's that is being written is soon free.
UsageEntry* UsageTable::choose(std::uint64_t tag, bool wait) noexcept {
    const std::size_t first = tag & (count_ - 1);
    UsageEntry* oldest = nullptr;
    UsageEntry* busy = nullptr;
    std::uint64_t oldest_period = UINT64_MAX;
    for (std::size_t i = 0; i < ways; ++i) {
        UsageEntry& entry = entries_[first ^ i];
        const bool is_free = entry.version.load(std::memory_order_relaxed) % 2 == 0;
        const std::uint64_t period = entry.period.load(std::memory_order_relaxed);
        if (entry.tag.load(std::memory_order_relaxed) == tag) {
            if (is_free) {
                return &entry;
            }
            busy = &entry;
        } else if (is_free && period < oldest_period) {
            oldest = &entry;
            oldest_period = period;
        }
    }
    return busy != nullptr && wait ? busy : oldest;
}

void UsageTable::prefetch(std::uint64_t tag) const noexcept {
    const std::size_t first = tag & (count_ - 1);
    for (std::size_t i = 0; i < ways; ++i) {
        __builtin_prefetch(&entries_[first ^ i], 1);
    }
    __builtin_prefetch(entries_[first].id, 1);  // a token that is new mostly goes there
}

// Null if no place can be had.
UsageEntry* UsageTable::choose_and_lock(std::uint64_t tag) noexcept {
    for (int i = 0; i < tries; ++i) {
        // If the token's entry does not get free, its writer sleeps or died: it gets another one.
        UsageEntry* const entry = choose(tag, i < tries / 2);
        if (entry != nullptr && lock(*entry)) {
            return entry;
        }
    }
    return nullptr;
}

void UsageTable::note(const Use* uses, std::size_t count) noexcept {
    for (const Use* use = uses; use != uses + count; ++use) {
        prefetch(use->tag);
    }
    std::uint64_t lost = 0;
    std::uint64_t period = 0;
    do {
        period = period_.load();
        for (const Use* use = uses; use != uses + count; ++use) {
            UsageEntry* const entry = choose_and_lock(use->tag);
            if (entry == nullptr) {
                ++lost;
                continue;
            }
            lost += write(*entry, *use, period) ? 1 : 0;
            unlock(*entry);
        }
        std::atomic_thread_fence(std::memory_order_seq_cst);
        // A round that began meanwhile may have passed some entries by: then they go into the next.
        // Rather count a use twice than tell of it never.
    } while (period_.load() != period);
    if (lost != 0) {
        lost_.fetch_add(lost, std::memory_order_relaxed);
    }
}

// True if another token loses its uses by it.
bool UsageTable::write(UsageEntry& entry, const Use& use, std::uint64_t period) noexcept {
    const std::uint64_t before = entry.period.load(std::memory_order_relaxed);
    const std::uint64_t confirmed = confirmed_.load(std::memory_order_relaxed);
    bool lost = false;
    if (entry.tag.load(std::memory_order_relaxed) != use.tag || before == 0) {
        lost = before > confirmed;
        entry.tag.store(use.tag, std::memory_order_relaxed);
        entry.period.store(period, std::memory_order_relaxed);
        entry.pending_period = 0;
        entry.pending = 0;
        entry.fresh = 0;
        entry.time = 0;
        entry.id_size = use.id_size;
        std::memcpy(entry.id, use.id, sizeof(entry.id));
    } else if (before < period) {  // later: a round has begun, and another writer knows of it
        if (entry.pending_period <= confirmed) {
            entry.pending = 0;
        }
        entry.pending = saturated_sum(entry.pending, entry.fresh);
        entry.pending_period = before;
        entry.fresh = 0;
        entry.period.store(period, std::memory_order_relaxed);
    }
    entry.fresh = saturated_sum(entry.fresh, 1);
    entry.time = std::max(entry.time, use.time);
    entry.address = use.address;
    return lost;
}

bool UsageTable::is_possible(const UsageCursor& cursor) const noexcept {
    const std::uint64_t period = period_.load();
    return cursor.since < period && cursor.until < period && cursor.next < count_ &&
           (cursor.until == 0 ? cursor.next == 0 : cursor.since < cursor.until);
}

void UsageTable::begin_round(UsageCursor& cursor) noexcept {
    std::uint64_t confirmed = confirmed_.load();
    while (confirmed < cursor.since && !confirmed_.compare_exchange_weak(confirmed, cursor.since)) {
    }
    if (cursor.until == 0) {
        cursor.until = period_.fetch_add(1);
    }
}

std::size_t UsageTable::end_of_part(const UsageCursor& cursor) const noexcept {
    return std::min(count_, cursor.next + part);
}

// Copies the entry that the cursor stands at; false if this round tells nothing of it.
bool UsageTable::copy(const UsageCursor& cursor, Use& out) noexcept {
    const UsageEntry& entry = entries_[cursor.next];
    const auto is_asked = [&](std::uint64_t period) {
        return period > cursor.since && period <= cursor.until;
    };
    for (int i = 0; i < tries; ++i) {
        const std::uint32_t version = entry.version.load();
        if (version % 2 != 0) {
            sched_yield();  // its writer may wait for this processor
            continue;
        }
        out.count = is_asked(entry.period.load(std::memory_order_relaxed)) ? entry.fresh : 0;
        out.count += is_asked(entry.pending_period) ? entry.pending : 0;
        if (out.count != 0) {
            out.set_id({entry.id, entry.id_size});
            out.time = entry.time;
            out.address = entry.address;
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        if (entry.version.load(std::memory_order_relaxed) == version) {
            return out.count != 0;
        }
    }
    // Its writer sleeps or died.
    if (is_asked(entry.period.load(std::memory_order_relaxed))) {
        lost_.fetch_add(1, std::memory_order_relaxed);
    }
    return false;
}

// True if the round is over.
bool UsageTable::end_part(UsageCursor& cursor) const noexcept {
    if (cursor.next < count_) {
        return false;
    }
    cursor = {cursor.until, 0, 0};
    return true;
}

}  // namespace token_auth::nginx
