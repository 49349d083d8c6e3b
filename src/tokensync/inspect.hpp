// A look at a store before liblmdb opens it: liblmdb crashes on a damaged one.
#pragma once

#include <string>

#include "store_writer/store_writer.hpp"

namespace token_auth::tokensync {

// What is wrong with the store in a directory, so that only a new one helps; empty if nothing is or
// if there is none. Removes a store whose first load was not finished, which nobody reads.
//
// Throws StoreError if the directory is to be left alone: it holds another program's file, or a
// tokensync of release 0.1 works on it.
std::string inspect(const std::string& directory, const store_writer::Inspection& how);

}  // namespace token_auth::tokensync
