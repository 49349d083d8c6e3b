#include "store_writer/replacement.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/file_descriptor.hpp"

namespace token_auth::store_writer {
namespace {

constexpr const char* file_names[] = {"data.mdb", "lock.mdb", "sync.lock"};

std::string parent_of(const Site& site) {
    return std::filesystem::path(site.real).parent_path().string();
}

std::string path_beside(const Site& site) {
    const std::filesystem::path real(site.real);
    return (real.parent_path() / ("." + real.filename().string() + ".tokensync")).string();
}

// Empties the directory of what a store consists of, and removes it. By its descriptor: the name
// may be another's by now. False if something of somebody else's keeps it from going.
bool remove_store(const std::string& path, const base::FileDescriptor& directory) noexcept {
    for (const char* name : file_names) {
        unlinkat(directory.get(), name, 0);
    }
    struct stat open_one {};
    struct stat named {};
    if (fstat(directory.get(), &open_one) != 0 || lstat(path.c_str(), &named) != 0 ||
        open_one.st_ino != named.st_ino || open_one.st_dev != named.st_dev) {
        return true;
    }
    return rmdir(path.c_str()) == 0 || errno == ENOENT;
}

base::FileDescriptor open_directory(const std::string& path) noexcept {
    return base::FileDescriptor(
        open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Whether a directory beside the store is one that a replacement made: nobody else's, and with
// nothing in it but a store's files.
bool is_leftover(const base::FileDescriptor& directory, const std::string& path) {
    struct stat info {};
    if (!directory.is_open() || fstat(directory.get(), &info) != 0) {
        return false;
    }
    return info.st_uid == geteuid() && stranger_in(path).empty();
}

}  // namespace

void remove_leftover(const Site& site, const SyncLock& lock) noexcept {
    const std::string path = path_beside(site);
    const base::FileDescriptor directory = open_directory(path);
    if (!directory.is_open()) {
        return;
    }
    try {
        const SyncLock::Held held = lock.replace(std::chrono::milliseconds(0));
        if (held.is_held() && is_leftover(directory, path)) {
            remove_store(path, directory);
        }
    } catch (const StoreError&) {
        // In nobody's way; whoever wants to replace the store will say so.
    }
}

Replacement::Replacement(const Site& site, const SyncLock& lock, std::chrono::milliseconds wait)
    : site_(site), parent_(parent_of(site)), path_(path_beside(site)), held_(lock.replace(wait)) {
    if (!held_.is_held()) {
        throw StoreError(fmt::format(
            "another tokensync is replacing the store {}; wait until it is done", site_.path));
    }
    require_possible();
    if (mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) {
        throw NotReplaceable(fmt::format("cannot make the directory {}: {}; {}", path_,
                                         std::strerror(errno), remedy(errno)));
    }
    if (!is_leftover(open_directory(path_), path_)) {
        throw NotReplaceable(fmt::format("{} is in the way of a new store; move it away", path_));
    }
    // What is in it was left by one that was interrupted.
    for (const char* name : file_names) {
        unlink((path_ + '/' + name).c_str());
    }
    try {
        require_exchange();
    } catch (...) {
        remove_store(path_, open_directory(path_));
        throw;
    }
}

Replacement::~Replacement() {
    if (!path_.empty()) {
        remove_store(path_, open_directory(path_));
    }
}

Directory Replacement::directory() const {
    Site beside = site_;
    beside.path = path_;
    beside.real = path_;
    return Directory(beside);
}

// What can be known before a large store is written in vain.
void Replacement::require_possible() const {
    const std::string instead =
        "to be replaced, it needs a directory of tokensync's own above it (see docs/TOKENSYNC.md)";
    struct statx here {};
    struct stat above {};
    if (statx(AT_FDCWD, site_.real.c_str(), 0, STATX_BASIC_STATS, &here) != 0 ||
        stat(parent_.c_str(), &above) != 0) {
        fail_file("find", site_.path, errno);
    }
    if ((here.stx_attributes_mask & here.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
        throw NotReplaceable(fmt::format("the store {} is a mount point; {}", site_.path, instead));
    }
    if (faccessat(AT_FDCWD, parent_.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        throw NotReplaceable(
            fmt::format("the directory {} above the store is not writable for this account: {}; {}",
                        parent_, std::strerror(errno), instead));
    }
    const uid_t self = geteuid();
    if ((above.st_mode & S_ISVTX) != 0 && self != 0 && self != above.st_uid &&
        self != here.stx_uid) {
        throw NotReplaceable(
            fmt::format("the store {} belongs to another account; {}", site_.path, remedy(EPERM)));
    }
    const std::string stranger = stranger_in(site_.real);
    if (!stranger.empty()) {
        throw NotReplaceable(fmt::format(
            "the store's directory {} holds \"{}\" as well; move that out of it to let the "
            "directory be replaced",
            site_.path, stranger));
    }
}

// Tried with two files: not every file system has it.
void Replacement::require_exchange() const {
    const std::string one = path_ + "/data.mdb";
    const std::string other = path_ + "/lock.mdb";
    for (const std::string& file : {one, other}) {
        const base::FileDescriptor made(
            open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!made.is_open()) {
            fail_file("make", file, errno);
        }
    }
    const bool exchanged =
        renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
    const int error = errno;
    unlink(one.c_str());
    unlink(other.c_str());
    if (!exchanged) {
        throw NotReplaceable(fmt::format(
            "the file system of the store {} cannot exchange two directories: {}; put the store "
            "on another one, such as ext4, XFS, Btrfs or tmpfs",
            site_.path, std::strerror(error)));
    }
}

void Replacement::exchange() const {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, site_.real.c_str(), RENAME_EXCHANGE) != 0) {
        throw NotReplaceable(fmt::format("cannot exchange {} for {}: {}; {}", site_.path, path_,
                                         std::strerror(errno), remedy(errno)));
    }
}

void Replacement::take_place() {
    exchange();
    const base::FileDescriptor before = open_directory(path_);
    struct stat info {};
    if (!before.is_open() || fstat(before.get(), &info) != 0 || info.st_dev != site_.device ||
        info.st_ino != site_.inode) {
        exchange();
        throw StoreReplaced(site_.path);
    }
    sync_directory(parent_);
    remove_store(path_, before);
    path_.clear();
}

}  // namespace token_auth::store_writer
