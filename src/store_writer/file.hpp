// Files and directories of the store, with errors that name the file and the remedy.
#pragma once

#include <cstdint>
#include <string>

namespace token_auth::store_writer {

// Makes the directory's entries durable. Throws StoreError.
void sync_directory(const std::string& path);

// Bytes: a store up to that size is read into memory. 0 if the system does not say.
std::uint64_t half_of_memory() noexcept;

// Has the first bytes of a file, which nobody has mapped, in memory in pieces as large as the
// kernel can: who maps it then needs fewer steps to find a page. Nothing depends on it.
//
// Source: madvise(2), MADV_HUGEPAGE; Linux 6.18 on ext4, XFS and Btrfs makes pieces of 2 MiB.
void read_in_large_pieces(const std::string& file, std::uint64_t size) noexcept;

// The path that `path` leads to, its last part not necessarily there yet; `path` if that
// cannot be said.
std::string resolved(const std::string& path);

}  // namespace token_auth::store_writer
