// Brings a store up to date with its source.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "registry/source.hpp"
#include "store_writer/store_writer.hpp"
#include "tokensync/left_out.hpp"
#include "tokensync/progress.hpp"

namespace token_auth::tokensync {

struct Outcome {
    bool full = false;       // everything was read, not only what changed
    bool rebuilt = false;    // into a new store, which took the old one's place
    std::string damage;      // what was wrong with the old one; empty: nothing
    bool committed = false;  // the store was written, be it only to say that it is up to date
    std::uint64_t written = 0;
    std::uint64_t erased = 0;
    std::uint64_t generation = 0;
    std::uint64_t newly_held = 0;  // tokens whose removal is held back since this sync
    NewlyLeftOut left_out;
    std::chrono::microseconds took{0};

    bool changed() const noexcept { return written + erased > 0; }
};

struct SyncOptions {
    bool force = false;             // take over a store of another registry; remove many tokens
    bool full = false;              // read everything, also if the changes would do
    bool rebuild = false;           // into a new store
    bool commit_unchanged = false;  // if nothing changed, note in the store that it is so
    bool review = false;            // ask again about all tokens that are held back
};

// Applies what changed since the store's position; reads everything if the store is empty or
// its position is not in the source's log any more. All of it becomes visible at once, or none.
//
// Where the store is damaged, a copy of another registry, or differs in many records from what was
// read, a new one is made beside it and takes its place: then `writer` is another one. Where that
// cannot be and the store is sound, it is written in place, in one transaction.
//
// Rows that no record can hold are left out. More than half of over 100 tokens are not removed,
// unless forced or meant (see brake.hpp); all else is applied. Refuses, with exit status 3 and
// nothing changed, to take over a store of another registry, unless forced.
Outcome synchronize(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                    const SyncOptions& options, Progress& progress);

}  // namespace token_auth::tokensync
