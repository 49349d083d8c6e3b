// Counters of results by label. They stand in the zone, see zone.hpp; status.hpp shows them.
#pragma once

#include <atomic>
#include <cstdint>

#include "nginx/ngx.hpp"
#include "token_auth/answer.hpp"

namespace token_auth::nginx {

inline constexpr ngx_uint_t labels_max = 64;
inline constexpr ngx_uint_t counter_slots = 16;  // for workers; more of them share

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free, "shared memory holds no lock");

// One for each code; workers with slots of their own share no cache line.
struct alignas(64) ResultCounters {
    Counter of[code_count];
};

struct LabelCounters {
    ResultCounters requests[counter_slots];
    ResultCounters rechecks;
};

// A name of token_auth_label.
struct Label {
    ngx_str_t name;
    LabelCounters* counters;  // null if token_auth_zone is off
};

inline void count(ResultCounters& counters, Code code) noexcept {
    counters.of[static_cast<std::size_t>(code)].fetch_add(1, std::memory_order_relaxed);
}

inline void count_request(const Label& label, Code code) noexcept {
    if (label.counters != nullptr) {
        count(label.counters->requests[ngx_worker % counter_slots], code);
    }
}

inline void count_recheck(const Label& label, Code code) noexcept {
    if (label.counters != nullptr) {
        count(label.counters->rechecks, code);
    }
}

std::uint64_t request_count(const LabelCounters& counters, Code code) noexcept;
std::uint64_t recheck_count(const LabelCounters& counters, Code code) noexcept;

}  // namespace token_auth::nginx
