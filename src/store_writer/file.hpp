// Files and directories of the store, with errors that name the file and the remedy.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"

namespace token_auth::store_writer {

// The file, made if it is missing, locked for this process alone; not open if somebody else
// holds it for all of `wait`. A lock on a file that another one has taken the place of meanwhile
// does not count. Throws StoreError.
base::FileDescriptor lock_file(const std::string& file, std::chrono::milliseconds wait);

// Makes the directory's entries durable. Throws StoreError.
void sync_directory(const std::string& path);

// The path that `path` leads to, its last part not necessarily there yet; `path` if that
// cannot be said.
std::string resolved(const std::string& path);

}  // namespace token_auth::store_writer
