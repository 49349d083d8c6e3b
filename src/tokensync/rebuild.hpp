// A full load into a new store beside the one that is served, which then takes its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "registry/source.hpp"
#include "store_writer/store_writer.hpp"
#include "tokensync/brake.hpp"
#include "tokensync/left_out.hpp"
#include "tokensync/progress.hpp"

namespace token_auth::tokensync {

// What a new store does to the one that it replaces.
struct Rebuilt {
    std::uint64_t written = 0;  // records in the new one
    std::uint64_t erased = 0;   // records of the old one that are not in the new one
    std::uint64_t held = 0;     // tokens whose removal is held back, and was not before
    NewlyLeftOut left_out;
};

// Loads everything, with what `brake` holds of the old store, lets `approve` throw if the result is
// not wanted, and puts the new store in the old one's place: on return `writer` is the new one's.
// Until then readers have the old one, as it was, and any exception leaves it so. Memory does not
// grow with the number of records. What the brake would hold of a store that cannot be read is a
// refusal.
//
// Throws NotReplaceable, before anything is read, if the store cannot be replaced.
Rebuilt rebuild(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                Progress& progress, const std::string& identity, Brake& brake,
                const std::function<void()>& approve);

}  // namespace token_auth::tokensync
