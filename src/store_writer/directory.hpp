// The store's directory: who may do what with its files.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "store_writer/file.hpp"

namespace token_auth::store_writer {

struct StoreOptions {
    std::string path;    // the directory
    std::string group;   // the group that its files are given; empty: the directory's
    bool force = false;  // take over a store of another registry; remove many tokens
    std::chrono::milliseconds lock_wait{0};  // how long to wait for another tokensync
    std::uint64_t generation = 0;            // what is written has a higher one
    bool read_through = false;               // look at every record before it is opened
    bool rebuild = false;  // what is damaged there is a store of ours, be its lock file lost
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

// Throws StoreError where something else than a directory is at the path, and base::Error (wrong
// usage) for a group that there is none of.
Site find_site(const StoreOptions& options);

// The store's directory. Errors are StoreErrors.
class Directory {
  public:
    // Makes it if it is missing. Refuses, without touching it, a directory that holds something but
    // no LMDB file.
    explicit Directory(const StoreOptions& options);

    // One that was made already (see replacement.hpp).
    explicit Directory(const Site& site) : site_(site) {}

    const std::string& path() const noexcept { return site_.path; }
    const std::string& real() const noexcept { return site_.real; }
    const Site& site() const noexcept { return site_; }
    std::string data_file() const { return site_.real + "/data.mdb"; }

    // Gives data.mdb and the directory their modes and their group, whatever the umask was, and
    // removes the lock files of other releases.
    void set_groups_and_modes();

    // Whether the path still leads to the file that was there at set_groups_and_modes().
    bool in_place() const noexcept;

    // It was moved to another site with all that it holds.
    void moved(const Site& site) { site_ = site; }

  private:
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
        bool operator==(const File&) const = default;
    };

    void set_group_and_mode(const std::string& file, mode_t mode) const;
    File look() const noexcept;

    Site site_;
    File data_;
};

// Throws a StoreError if the directory holds files, but none that a store or an unfinished one
// consists of. Reads only.
void require_no_stranger(const std::string& path);

// The name of a file in the directory that is none of a store's; empty if there is none.
std::string stranger_in(const std::string& path);

}  // namespace token_auth::store_writer
