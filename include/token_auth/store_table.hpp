// The stores that one process reads, by the paths its configuration names.
//
// It opens them, notices when one is replaced, lost or mended, and shares one environment between
// paths that lead to the same store.
#pragma once

#include <cstddef>
#include <cstdint>

#include "token_auth/store.hpp"

namespace token_auth {

// What there is to tell about a store; each is told once, when it comes about.
enum class StoreEvent : std::uint8_t {
    opened,    // served from now on (at the start, or after it was lost)
    replaced,  // another directory took its place and is served from now on
    older,     // another directory took its place, but has a lower generation: not taken up
    lost,      // not served any more (or not from the start); `text` says why and what to do
};

// Invariants: init() once, in the process that reads; at most one open Store for an identity;
// a path without a store is tried again, and a served one looked at, when the clock's second
// has changed since the last time.
class StoreTable {
  public:
    // `text` is one line. Called from within init() and at() only.
    using Listener = void (*)(void* context, StoreEvent event, const char* path, const char* text);

    StoreTable() noexcept = default;
    ~StoreTable() { clear(); }
    StoreTable(const StoreTable&) = delete;
    StoreTable& operator=(const StoreTable&) = delete;

    // `paths` must live as long as the table; they are not copied. False where memory is short.
    bool init(const char* const* paths, std::size_t count) noexcept;

    // The store of path number `index`, or null where there is none to be served at the moment.
    // Pointers given before are void after any call of this.
    Store* at(std::size_t index, std::int64_t now, Listener listener, void* context) noexcept;

    // Gives a store up whose lookup was broken; it is tried again from the next second on.
    void give_up(std::size_t index, std::int64_t now, Listener listener, void* context) noexcept;

    void clear() noexcept;

  private:
    struct Shared;
    struct Slot {
        const char* path = nullptr;
        Shared* shared = nullptr;
        std::int64_t looked = -1;  // second of the last look
        std::uint64_t least = 0;   // generation served before data.mdb was exchanged or broken
        StoreIdentity refused{};   // an older store that was told of; it is tried on
        char told[512] = {};       // the loss that was told of last; empty: none
    };

    void look(Slot& slot, Listener listener, void* context) noexcept;
    void part_with_lock_of(const StoreIdentity& identity, Listener listener,
                           void* context) noexcept;
    void lose(Slot& slot, const char* why, Listener listener, void* context) noexcept;
    Shared* acquire(const char* path, const StoreIdentity& identity,
                    char (&why)[problem_size]) noexcept;
    static void release(Shared*& shared) noexcept;

    Slot* slots_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace token_auth
