#include "token_auth/store_pool.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>

#include "store/file_problem.hpp"

namespace token_auth {

struct StorePool::Shared {
    Store store;
    std::size_t users = 0;
};

struct StorePool::Slot {
    const char* path = nullptr;
    Shared* shared = nullptr;
    MinGeneration* least = nullptr;
    MinGeneration own_least{0};
    std::int64_t looked = -1;      // second of the last look
    std::int64_t missed = -1;      // second of the first look that did not find the one served
    FileIdentity refused{};        // an older store that was told of
    char told[problem_size] = {};  // the loss or damage that was told of last; empty: none
};

namespace {

// A store that is made anew gets at least the generation of the clock, in milliseconds.
bool is_ahead_of_clock(std::uint64_t generation) noexcept {
    const std::time_t now = std::time(nullptr);
    return now > 0 && generation / 1000 > static_cast<std::uint64_t>(now);
}

void explain_older(const char* path, std::uint64_t generation, std::uint64_t least,
                   char (&text)[problem_size]) noexcept {
    std::snprintf(
        text, sizeof(text),
        "it has generation %llu, but %llu was served; run \"tokensync run --rebuild --db "
        "%s\" to make one that is taken up%s",
        static_cast<unsigned long long>(generation), static_cast<unsigned long long>(least),
        shown_path(path),
        is_ahead_of_clock(least)
            ? "; if its generation is lower, too, because a clock was ahead, restart nginx"
            : "");
}

}  // namespace

bool StorePool::init(const char* const* paths, std::size_t count,
                     MinGeneration* const* min_generations, Listener listener,
                     void* context) noexcept {
    listener_ = listener;
    context_ = context;
    if (count == 0) {
        return true;
    }
    slots_ = new (std::nothrow) Slot[count];
    if (slots_ == nullptr) {
        return false;
    }
    count_ = count;
    for (std::size_t i = 0; i < count; ++i) {
        slots_[i].path = paths[i];
        slots_[i].least = min_generations == nullptr ? &slots_[i].own_least : min_generations[i];
    }
    return true;
}

void StorePool::clear() noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        release(slots_[i].shared);
    }
    delete[] slots_;
    slots_ = nullptr;
    count_ = 0;
}

MinGeneration& StorePool::min_generation(std::size_t index) noexcept {
    return *slots_[index].least;
}

void StorePool::invalidate(std::size_t index) noexcept {
    slots_[index].looked = -1;
}

Store* StorePool::refresh(std::size_t index, std::int64_t now) noexcept {
    Slot& slot = slots_[index];
    if (slot.looked != now) {
        slot.looked = now;
        look(slot, now);
    }
    return slot.shared == nullptr ? nullptr : &slot.shared->store;
}

void StorePool::mark_unavailable(std::size_t index, const char* why) noexcept {
    Shared* const broken = slots_[index].shared;
    char text[problem_size];
    std::snprintf(text, sizeof(text), "%s", why);
    // Whoever shares it would run into the same.
    for (std::size_t i = 0; i < count_; ++i) {
        if (broken != nullptr && slots_[i].shared == broken) {
            drop(slots_[i], text);
        }
    }
}

// A damaged page must not cost the tokens of all others.
void StorePool::fail(std::size_t index, const Store& store) noexcept {
    store.is_readable() ? tell(slots_[index], StoreEvent::damaged, store.problem())
                        : mark_unavailable(index, store.problem());
}

void StorePool::refuse(std::size_t index, std::uint64_t generation) noexcept {
    char text[problem_size];
    explain_older(slots_[index].path, generation, min_generation(index).load(), text);
    mark_unavailable(index, text);
}

void StorePool::look(Slot& slot, std::int64_t now) noexcept {
    FileIdentity identity;
    char why[problem_size];
    if (!store_identity(slot.path, identity)) {
        explain_file(why, "find data.mdb", errno, slot.path);
        miss(slot, now, why);
        return;
    }
    if (slot.shared != nullptr && !slot.shared->store.refresh()) {
        mark_unavailable(static_cast<std::size_t>(&slot - slots_), slot.shared->store.problem());
    }
    if (slot.shared != nullptr && slot.shared->store.identity() == identity) {
        slot.missed = -1;
        slot.refused = FileIdentity{};
        return;
    }
    // Read before the store is: whoever raised it had seen a commit that acquire() sees, too.
    const std::uint64_t least = slot.least->load(std::memory_order_acquire);
    Shared* next = acquire(slot, identity, why);
    if (next == nullptr) {
        miss(slot, now, why);
        return;
    }
    const std::uint64_t generation = next->store.meta().generation;
    char text[problem_size];
    if (generation < least) {
        explain_older(slot.path, generation, least, text);
        release(next);
        // It is looked at again every second, as it may catch up, but told of once.
        if (slot.shared != nullptr && !(slot.refused == identity)) {
            listener_(context_, StoreEvent::older, slot.path, text);
        }
        slot.refused = identity;
        miss(slot, now, text);
        return;
    }
    const bool replaces = slot.shared != nullptr;
    std::snprintf(text, sizeof(text), replaces ? "generation %llu after %llu" : "generation %llu",
                  static_cast<unsigned long long>(generation),
                  static_cast<unsigned long long>(least));
    release(slot.shared);
    slot.shared = next;
    slot.missed = -1;
    slot.refused = FileIdentity{};
    slot.told[0] = '\0';
    raise(*slot.least, generation);
    listener_(context_, replaces ? StoreEvent::replaced : StoreEvent::opened, slot.path, text);
}

// The store to be served is not at its path.
void StorePool::miss(Slot& slot, std::int64_t now, const char* why) noexcept {
    if (slot.shared != nullptr && slot.missed < 0) {
        slot.missed = now;
    }
    if (slot.shared == nullptr || now - slot.missed >= missing_grace) {
        drop(slot, why);
    }
}

void StorePool::drop(Slot& slot, const char* why) noexcept {
    release(slot.shared);
    slot.missed = -1;
    tell(slot, StoreEvent::lost, why);
}

// Once, until something else is to be told.
void StorePool::tell(Slot& slot, StoreEvent event, const char* why) noexcept {
    if (std::strncmp(slot.told, why, sizeof(slot.told) - 1) != 0) {
        std::snprintf(slot.told, sizeof(slot.told), "%s", why);
        listener_(context_, event, slot.path, slot.told);
    }
}

StorePool::Shared* StorePool::acquire(const Slot& slot, const FileIdentity& identity,
                                      char (&why)[problem_size]) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        Shared* const other = slots_[i].shared;
        if (other == nullptr || !(other->store.identity() == identity)) {
            continue;
        }
        // Its generation counts: read the newest commit.
        if (other->store.read([](Snapshot&) { return Found::found; }) == Lookup::broken) {
            std::snprintf(why, sizeof(why), "%s", other->store.problem());
            return nullptr;
        }
        ++other->users;
        return other;
    }
    auto* shared = new (std::nothrow) Shared;
    if (shared == nullptr) {
        std::snprintf(why, sizeof(why), "out of memory; free some memory");
        return nullptr;
    }
    shared->users = 1;
    if (!shared->store.open(slot.path)) {
        std::snprintf(why, sizeof(why), "%s", shared->store.problem());
        release(shared);
        return nullptr;
    }
    return shared;
}

void StorePool::release(Shared*& shared) noexcept {
    if (shared != nullptr && --shared->users == 0) {
        delete shared;
    }
    shared = nullptr;
}

}  // namespace token_auth
