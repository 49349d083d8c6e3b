// A full load into a new store beside the one that is served, which then takes its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "registry/source.hpp"
#include "store_writer/store_writer.hpp"
#include "tokensync/progress.hpp"

namespace token_auth::tokensync {

// What a new store would do to the one it is to replace.
struct Rebuilt {
    std::uint64_t written = 0;        // records in the new one
    std::uint64_t erased = 0;         // records of the old one that are not in the new one
    std::uint64_t tokens_erased = 0;  // tokens among them
};

// Loads everything, lets `approve` throw if the result is not wanted, and puts the new store in
// the old one's place: on return `writer` is the new one's. Until then readers have the old one, as
// it was, and any exception leaves it so. Memory does not grow with the number of records.
//
// Throws NotReplaceable, before anything is read, if the store cannot be replaced.
Rebuilt rebuild(registry::Source& source, std::unique_ptr<store_writer::StoreWriter>& writer,
                Progress& progress, const std::string& identity,
                const std::function<void(const Rebuilt&)>& approve);

}  // namespace token_auth::tokensync
