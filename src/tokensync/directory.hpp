// The store's directory: who may do what with its files, and who may write now.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace token_auth::tokensync {

struct StoreOptions {
    std::string path;    // the directory
    std::string group;   // the group that its files are given; empty: the directory's
    bool force = false;  // take over a store of another registry; remove many tokens
    std::chrono::milliseconds lock_wait{0};  // how long to wait for another tokensync
};

// An open file descriptor.
class Descriptor {
  public:
    explicit Descriptor(int number = -1) noexcept : number_(number) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept;
    Descriptor& operator=(Descriptor&& other) noexcept;

    int get() const noexcept { return number_; }
    bool is_open() const noexcept { return number_ >= 0; }

  private:
    int number_;
};

// The directory, held for writing: at most one process has it at a time. Errors are StoreErrors.
class Directory {
  public:
    // Makes the directory where it is missing, and takes the lock (the file sync.lock in it).
    // Refuses, without touching it, a directory that holds something but no LMDB files.
    explicit Directory(const StoreOptions& options);

    const std::string& path() const noexcept { return path_; }

    // Gives data.mdb and lock.mdb their modes and their group, whatever the umask was.
    void settle_files() const;

    // Whether the path still leads to the data file that was there at settle_files().
    bool in_place() const noexcept;

  private:
    void settle(const std::string& file, mode_t mode) const;

    std::string path_;
    gid_t group_ = 0;
    bool group_given_ = false;
    uid_t owner_ = 0;
    Descriptor lock_;
    mutable dev_t device_ = 0;
    mutable ino_t inode_ = 0;
};

// Throws a StoreError where the directory holds files, but none that a store or an unfinished one
// consists of. Reads only.
void require_no_stranger(const std::string& path);

}  // namespace token_auth::tokensync
