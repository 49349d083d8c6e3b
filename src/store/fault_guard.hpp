// Reads of a mapped file that became shorter end in SIGBUS. The guard puts zeros in place of what
// is gone and notes that the map is lost; the read goes on and finds no page. It does not jump, so
// it leaves nothing half done.
//
// Only faults in a watched map are taken. Any other goes to the handler that was there before.
#pragma once

#include <atomic>
#include <cstddef>

namespace token_auth {

// Watches one map at a time. Not for use by two threads at once; faults may come from any thread.
class FaultGuard {
  public:
    FaultGuard() noexcept = default;
    ~FaultGuard() { release(); }
    FaultGuard(const FaultGuard&) = delete;
    FaultGuard& operator=(const FaultGuard&) = delete;

    // False if the process watches too many maps already, or may not set the handler. `map` is
    // aligned to the system's pages.
    bool watch(const char* map, std::size_t size) noexcept;
    void release() noexcept;

    // Whether a part of the map was replaced by zeros.
    bool is_lost() const noexcept {
        return lost_ != nullptr && lost_->load(std::memory_order_acquire);
    }

  private:
    int slot_ = -1;
    const std::atomic<bool>* lost_ = nullptr;  // the slot's
};

}  // namespace token_auth
