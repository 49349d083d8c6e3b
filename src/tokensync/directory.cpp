#include "directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "lmdb.hpp"

namespace token_auth::tokensync {
namespace {

constexpr mode_t directory_mode = 02750;
constexpr mode_t data_mode = 0640;
constexpr mode_t lock_mode = 0660;
constexpr mode_t mode_bits = 07777;

[[noreturn]] void fail_file(const char* doing, const std::string& file, int error,
                            std::string_view remedy) {
    throw StoreError(
        fmt::format("cannot {} {}: {}; {}", doing, file, std::strerror(error), remedy));
}

std::string_view remedy_of(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
            return "run as the account that owns it, or give it to this account (chown -R)";
        case ENOENT:
            return "make the directory above it first";
        case ENOTDIR:
            return "name a directory with --db";
        case EROFS:
            return "mount it writable";
        case ENOSPC:
        case EDQUOT:
            return "free some space on its disk";
        default:
            return "mend that, or name another directory with --db";
    }
}

gid_t group_of_name(const std::string& name) {
    errno = 0;
    const struct group* entry = getgrnam(name.c_str());
    if (entry == nullptr) {
        throw cli::Error(
            fmt::format(
                "there is no group \"{}\" on this host; name nginx's own with --group, such "
                "as www-data or nginx",
                name),
            cli::exit_usage);
    }
    return entry->gr_gid;
}

std::string group_name(gid_t id) {
    const struct group* entry = getgrgid(id);
    return entry == nullptr ? std::to_string(id) : entry->gr_name;
}

struct DirectoryCloser {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};

bool is_ours(std::string_view name) {
    return name == "." || name == ".." || name == "data.mdb" || name == "lock.mdb" ||
           name == "sync.lock";
}

}  // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) {
        close(number_);
    }
}

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
}

namespace {

// Run by root, what is behind a link would be overwritten and given to the directory's owner.
void require_plain(const std::string& path, const char* name) {
    struct stat info {};
    const std::string file = path + '/' + name;
    if (lstat(file.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        throw StoreError(fmt::format("{} is not a regular file; remove it", file));
    }
}

}  // namespace

void require_no_stranger(const std::string& path) {
    require_plain(path, "data.mdb");
    require_plain(path, "lock.mdb");
    const std::unique_ptr<DIR, DirectoryCloser> directory(opendir(path.c_str()));
    if (!directory) {
        fail_file("read the directory", path, errno, remedy_of(errno));
    }
    bool has_data = false;
    std::string stranger;
    while (const dirent* entry = readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        has_data = has_data || name == "data.mdb";
        if (!is_ours(name)) {
            stranger = name;
        }
    }
    if (!has_data && !stranger.empty()) {
        throw StoreError(fmt::format(
            "the directory {} holds \"{}\" and no token store; name an empty or a new directory "
            "with --db",
            path, stranger));
    }
}

Directory::Directory(const StoreOptions& options)
    : path_(options.path), group_given_(!options.group.empty()) {
    if (group_given_) {
        group_ = group_of_name(options.group);
    }
    const bool made = mkdir(path_.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) {
        fail_file("make the store's directory", path_, errno, remedy_of(errno));
    }
    struct stat info {};
    if (stat(path_.c_str(), &info) != 0) {
        fail_file("find the store's directory", path_, errno, remedy_of(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        fail_file("use as the store's directory", path_, ENOTDIR, remedy_of(ENOTDIR));
    }
    require_no_stranger(path_);
    if (!group_given_) {
        group_ = info.st_gid;
    }
    owner_ = info.st_uid;

    const std::string file = path_ + "/sync.lock";
    lock_ = Descriptor(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_.is_open()) {
        fail_file("open", file, errno, remedy_of(errno));
    }
    const auto deadline = std::chrono::steady_clock::now() + options.lock_wait;
    while (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            fail_file("lock", file, errno, remedy_of(errno));
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw StoreError(
                fmt::format("another tokensync is writing the store {}; wait until it is done, or "
                            "stop it (a running \"tokensync watch\" keeps the store up to date)",
                            path_));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void Directory::settle(const std::string& file, mode_t mode) const {
    struct stat info {};
    if (stat(file.c_str(), &info) != 0) {
        fail_file("find", file, errno, "run \"tokensync run\" again");
    }
    // What root makes here belongs to the account that runs tokensync otherwise.
    const uid_t owner = geteuid() == 0 ? owner_ : info.st_uid;
    if (info.st_gid != group_ || info.st_uid != owner) {
        if (chown(file.c_str(), owner, group_) != 0) {
            const int error = errno;
            throw StoreError(fmt::format(
                "cannot give {} to the group {}: {}; run tokensync as root once, or as an account "
                "that is in that group",
                file, group_name(group_), std::strerror(error)));
        }
        info.st_mode = 0;  // chown clears the set-group-id bit
    }
    if ((info.st_mode & mode_bits) != mode) {
        if (chmod(file.c_str(), mode) != 0) {
            fail_file("set the mode of", file, errno, remedy_of(errno));
        }
        // For an account outside the group the system drops that bit without a word.
        if (stat(file.c_str(), &info) == 0 && (info.st_mode & mode_bits) != mode) {
            fail_file("set the group's bit on", file, EPERM,
                      "run tokensync as root once, or as an account that is in that group");
        }
    }
}

void Directory::settle_files() const {
    settle(path_, directory_mode);
    settle(path_ + "/data.mdb", data_mode);
    settle(path_ + "/lock.mdb", lock_mode);
    if (geteuid() == 0 && fchown(lock_.get(), owner_, group_) != 0) {
        fail_file("give to its owner", path_ + "/sync.lock", errno, remedy_of(errno));
    }
    if (fchmod(lock_.get(), 0600) != 0) {
        fail_file("set the mode of", path_ + "/sync.lock", errno, remedy_of(errno));
    }
    struct stat info {};
    if (stat((path_ + "/data.mdb").c_str(), &info) == 0) {
        device_ = info.st_dev;
        inode_ = info.st_ino;
    }
}

bool Directory::in_place() const noexcept {
    struct stat info {};
    return stat((path_ + "/data.mdb").c_str(), &info) == 0 && info.st_dev == device_ &&
           info.st_ino == inode_ && stat((path_ + "/lock.mdb").c_str(), &info) == 0;
}

}  // namespace token_auth::tokensync
