#include "token_auth/store_table.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace token_auth {

struct StoreTable::Shared {
    Store store;
    std::size_t users = 0;
};

namespace {

// What was read last may be of long ago, where nothing asked for the store since.
unsigned long long generation_of(Store& store) noexcept {
    const Snapshot latest(store);
    return static_cast<unsigned long long>(store.meta().generation);
}

// Whether another data file came to the lock file of the first.
bool beside_its_lock(const StoreIdentity& first, const StoreIdentity& second) noexcept {
    return first.device == second.device && first.inode != second.inode &&
           first.lock_inode == second.lock_inode;
}

}  // namespace

bool StoreTable::init(const char* const* paths, std::size_t count) noexcept {
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
    }
    return true;
}

void StoreTable::clear() noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        release(slots_[i].shared);
    }
    delete[] slots_;
    slots_ = nullptr;
    count_ = 0;
}

Store* StoreTable::at(std::size_t index, std::int64_t now, Listener listener,
                      void* context) noexcept {
    Slot& slot = slots_[index];
    if (slot.looked != now) {
        slot.looked = now;
        look(slot, listener, context);
    }
    return slot.shared == nullptr ? nullptr : &slot.shared->store;
}

void StoreTable::give_up(std::size_t index, std::int64_t now, Listener listener,
                         void* context) noexcept {
    Slot& slot = slots_[index];
    if (slot.shared == nullptr) {
        return;
    }
    slot.looked = now;
    Shared* const broken = slot.shared;
    char why[problem_size];
    std::snprintf(why, sizeof(why), "%s", broken->store.problem());
    // Whoever shares it would run into the same.
    for (std::size_t i = 0; i < count_; ++i) {
        if (slots_[i].shared == broken) {
            slots_[i].least = broken->store.meta().generation;
            lose(slots_[i], why, listener, context);
        }
    }
}

void StoreTable::look(Slot& slot, Listener listener, void* context) noexcept {
    // Resolved once: a symlink that is turned between two steps must not lead to a store that is
    // open already, which LMDB forbids to open twice.
    char path[PATH_MAX];
    StoreIdentity identity;
    if (realpath(slot.path, path) == nullptr || !store_identity(path, identity)) {
        char why[problem_size];
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        std::snprintf(
            why, sizeof(why), "cannot find data.mdb: %s; %s", std::strerror(errno),
            absent ? "run \"tokensync run\" to build the store"
                   : "let nginx's group read the directory (tokensync --group sets this) and "
                     "pass through those above it");
        lose(slot, why, listener, context);
        return;
    }
    if (slot.shared != nullptr && !slot.shared->store.is_whole()) {
        give_up(static_cast<std::size_t>(&slot - slots_), slot.looked, listener, context);
        return;
    }
    if (slot.shared != nullptr && identity.lock_inode == 0) {
        // No one writes through another lock file as long as there is none.
        identity.lock_inode = slot.shared->store.identity().lock_inode;
    }
    if (slot.shared != nullptr && slot.shared->store.identity() == identity) {
        slot.refused = StoreIdentity{};
        return;
    }

    char why[problem_size];
    part_with_lock_of(identity, listener, context);
    Shared* next = acquire(path, identity, why);
    if (next == nullptr) {
        lose(slot, why, listener, context);
        return;
    }
    char text[problem_size];
    const unsigned long long generation = generation_of(next->store);
    if (slot.shared == nullptr && generation < slot.least) {
        std::snprintf(text, sizeof(text),
                      "data.mdb was exchanged for an older one: it has generation %llu, the one "
                      "that was served %llu; run \"tokensync run\" to bring it up to date, or "
                      "reload nginx to take it up as it is",
                      generation, static_cast<unsigned long long>(slot.least));
        release(next);
        lose(slot, text, listener, context);
        return;
    }
    slot.least = 0;
    if (slot.shared == nullptr) {
        std::snprintf(text, sizeof(text), "generation %llu", generation);
        slot.shared = next;
        slot.told[0] = '\0';
        listener(context, StoreEvent::opened, slot.path, text);
        return;
    }
    const unsigned long long served = generation_of(slot.shared->store);
    if (generation < served) {
        std::snprintf(text, sizeof(text),
                      "it has generation %llu, the one being served %llu; run \"tokensync run\" to "
                      "bring it up to date, or reload nginx to take it up as it is",
                      generation, served);
        release(next);
        // It is looked at again every second, as it may catch up, but told of once.
        if (!(slot.refused == identity)) {
            slot.refused = identity;
            listener(context, StoreEvent::older, slot.path, text);
        }
        return;
    }
    slot.refused = StoreIdentity{};
    std::snprintf(text, sizeof(text), "generation %llu after %llu", generation, served);
    release(slot.shared);
    slot.shared = next;
    listener(context, StoreEvent::replaced, slot.path, text);
}

// Never two environments on one lock file: closing the one would give the other one's slot away,
// and its snapshots would not be spared by the writer any more.
void StoreTable::part_with_lock_of(const StoreIdentity& identity, Listener listener,
                                   void* context) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        Slot& slot = slots_[i];
        if (slot.shared != nullptr && beside_its_lock(slot.shared->store.identity(), identity)) {
            slot.least = generation_of(slot.shared->store);
            lose(slot,
                 "data.mdb was exchanged beside its lock.mdb; exchange whole directories, or "
                 "remove this one and run \"tokensync run\"",
                 listener, context);
        }
    }
}

void StoreTable::lose(Slot& slot, const char* why, Listener listener, void* context) noexcept {
    release(slot.shared);
    if (std::strncmp(slot.told, why, sizeof(slot.told) - 1) != 0) {
        std::snprintf(slot.told, sizeof(slot.told), "%s", why);
        listener(context, StoreEvent::lost, slot.path, slot.told);
    }
}

StoreTable::Shared* StoreTable::acquire(const char* path, const StoreIdentity& identity,
                                        char (&why)[problem_size]) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        Shared* const other = slots_[i].shared;
        if (other != nullptr && other->store.identity() == identity) {
            ++other->users;
            return other;
        }
    }
    auto* const shared = new (std::nothrow) Shared;
    if (shared == nullptr) {
        std::snprintf(why, sizeof(why), "out of memory; free some memory");
        return nullptr;
    }
    shared->users = 1;
    if (!shared->store.open(path)) {
        std::snprintf(why, sizeof(why), "%s", shared->store.problem());
        Shared* failed = shared;
        release(failed);
        return nullptr;
    }
    return shared;
}

void StoreTable::release(Shared*& shared) noexcept {
    if (shared != nullptr && --shared->users == 0) {
        delete shared;
    }
    shared = nullptr;
}

}  // namespace token_auth
