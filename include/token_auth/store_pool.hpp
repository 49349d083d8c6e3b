// The stores that one process reads, by the paths that its configuration names.
//
// It opens them, notices when one is replaced, lost or mended, shares one mapping between paths
// that lead to the same store, and never goes back to a generation below one that was served.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "token_auth/store.hpp"

namespace token_auth {

// What there is to tell about a store; each is told once, when it comes about.
enum class StoreEvent : std::uint8_t {
    opened,    // served from now on (at the start, or after it was unavailable)
    replaced,  // another one took its place and is served from now on
    older,     // another one took its place, but has a lower generation: not taken up
    damaged,   // what a look-up met is damaged; others are served
    lost,      // not served any more (or not from the start); `text` says why and what to do
};

// For how long a store is served on that is no longer at its path. Seconds.
inline constexpr std::int64_t missing_grace = 10;

// The highest generation that was served of each store. Processes may share it.
using MinGeneration = std::atomic<std::uint64_t>;
static_assert(MinGeneration::is_always_lock_free, "shared memory holds no lock");

class StorePool {
  public:
    // `text` is one line. Called from within refresh(), read() and mark_unavailable() only.
    using Listener = void (*)(void* context, StoreEvent event, const char* path, const char* text);

    StorePool() noexcept = default;
    ~StorePool() { clear(); }
    StorePool(const StorePool&) = delete;
    StorePool& operator=(const StorePool&) = delete;

    // Once, in the process that reads. `paths`, and what `min_generations`, one for each path, lead
    // to must live as long as the pool; without the latter the pool has its own. False if memory is
    // short.
    bool init(const char* const* paths, std::size_t count, MinGeneration* const* min_generations,
              Listener listener, void* context) noexcept;
    void clear() noexcept;

    // Opens what can be opened, and looks at what is open, of path number `index`, if the second is
    // another one than at the last look. `now` is in seconds, of a clock that nobody sets. Null if
    // it cannot be served just now. What an earlier call gave is void.
    Store* refresh(std::size_t index, std::int64_t now) noexcept;

    // Runs a pass (see Store::read) on the store of a path. broken: it cannot be served just now.
    template <typename Pass>
    Lookup read(std::size_t index, std::int64_t now, Pass&& pass) noexcept {
        for (int tries = 0; tries < 2; ++tries) {
            Store* const store = refresh(index, now);
            if (store == nullptr) {
                break;
            }
            // Read before the pass: whoever raised it had seen a commit that this pass sees, too.
            MinGeneration& min = min_generation(index);
            const std::uint64_t least = min.load(std::memory_order_acquire);
            const Lookup found = store->read(pass);
            if (found == Lookup::broken) {
                fail(index, *store);
                break;
            }
            if (store->meta().generation >= least) {
                raise(min, store->meta().generation);
                return found;
            }
            // The mapping is of a store that was replaced since the last look, or an older copy was
            // written over it.
            tries == 0 ? invalidate(index) : refuse(index, store->meta().generation);
        }
        return Lookup::broken;
    }

    MinGeneration& min_generation(std::size_t index) noexcept;

    // The next refresh() looks at the path at once.
    void invalidate(std::size_t index) noexcept;

    // Drops the store of a path, and of others that share its mapping. It is tried again in the
    // next second.
    void mark_unavailable(std::size_t index, const char* why) noexcept;

  private:
    struct Shared;
    struct Slot;

    void fail(std::size_t index, const Store& store) noexcept;
    void refuse(std::size_t index, std::uint64_t generation) noexcept;
    void look(Slot& slot, std::int64_t now) noexcept;
    void miss(Slot& slot, std::int64_t now, const char* why) noexcept;
    void drop(Slot& slot, const char* why) noexcept;
    void tell(Slot& slot, StoreEvent event, const char* why) noexcept;
    Shared* acquire(const Slot& slot, const FileIdentity& identity,
                    char (&why)[problem_size]) noexcept;
    static void release(Shared*& shared) noexcept;
    static void raise(MinGeneration& min, std::uint64_t generation) noexcept {
        std::uint64_t seen = min.load(std::memory_order_relaxed);
        while (seen < generation && !min.compare_exchange_weak(seen, generation)) {
        }
    }

    Slot* slots_ = nullptr;
    std::size_t count_ = 0;
    Listener listener_ = nullptr;
    void* context_ = nullptr;
};

}  // namespace token_auth
