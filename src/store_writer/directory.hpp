// The store's directory: who may do what with its files, and who may write now.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "store_writer/file.hpp"

namespace token_auth::store_writer {

struct StoreOptions {
    std::string path;    // the directory
    std::string group;   // the group that its files are given; empty: the directory's
    bool force = false;  // take over a store of another registry; remove many tokens
    std::chrono::milliseconds lock_wait{0};  // how long to wait for another tokensync
    std::uint64_t generation = 0;            // what is written has a higher one
};

// Where a store is, and whose its files are to be.
struct Site {
    std::string path;  // as it was given, for messages
    std::string real;  // where it leads to
    uid_t owner = 0;
    gid_t group = 0;
    bool there = false;  // it is there, with the following numbers
    dev_t device = 0;
    ino_t inode = 0;
};

// Throws StoreError if something else than a directory is at the path, and base::Error (wrong
// usage) for a group that does not exist.
Site find_site(const StoreOptions& options);

// One of the files that a store consists of.
bool is_store_file(std::string_view name) noexcept;

// The directory, held for writing: at most one process has it at a time. Errors are StoreErrors.
class Directory {
  public:
    // Makes the directory if it is missing, and takes the lock (the file sync.lock in it).
    // Refuses, without touching it, a directory that holds something but no LMDB files.
    explicit Directory(const StoreOptions& options);

    // One that was made and locked already (see replacement.hpp).
    Directory(const Site& site, base::FileDescriptor lock);

    const std::string& path() const noexcept { return site_.path; }
    const std::string& real() const noexcept { return site_.real; }
    const Site& site() const noexcept { return site_; }

    // Gives data.mdb and lock.mdb their modes and their group, whatever the umask was.
    void set_owners_and_modes();

    // Whether the path still leads to the files that were there at set_owners_and_modes().
    bool in_place() const noexcept;

    // It was moved to another site with all that it holds.
    void moved(const Site& site);

  private:
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
        bool operator==(const File&) const = default;
    };

    void set_owner_and_mode(const std::string& file, mode_t mode) const;
    File look(const char* name) const noexcept;

    Site site_;
    base::FileDescriptor lock_;
    File data_;
    File readers_;
};

// Throws a StoreError if the directory holds files, but none that a store or an unfinished one
// consists of. Reads only.
void require_no_stranger(const std::string& path);

// The name of a file in the directory that is none of a store's; empty if there is none.
std::string stranger_in(const std::string& path);

}  // namespace token_auth::store_writer
