#include "nginx/counters.hpp"

namespace token_auth::nginx {
namespace {

std::uint64_t read(const ResultCounters& counters, Code code) noexcept {
    return counters.of[static_cast<std::size_t>(code)].load(std::memory_order_relaxed);
}

}  // namespace

std::uint64_t request_count(const LabelCounters& counters, Code code) noexcept {
    std::uint64_t sum = 0;
    for (const ResultCounters& slot : counters.requests) {
        sum += read(slot, code);
    }
    return sum;
}

std::uint64_t recheck_count(const LabelCounters& counters, Code code) noexcept {
    return read(counters.rechecks, code);
}

}  // namespace token_auth::nginx
