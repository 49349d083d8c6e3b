#include "store_writer/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file_descriptor.hpp"
#include "store_writer/error.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::chrono::milliseconds between_attempts{20};
constexpr int links_max = 40;  // as the system's own limit

bool same_file(int descriptor, const std::string& path) noexcept {
    struct stat open_one {};
    struct stat named {};
    return fstat(descriptor, &open_one) == 0 && lstat(path.c_str(), &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

}  // namespace

base::FileDescriptor lock_file(const std::string& file, std::chrono::milliseconds wait) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    for (;;) {
        base::FileDescriptor descriptor(
            open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!descriptor.is_open()) {
            fail_file("open", file, errno);
        }
        if (flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0) {
            if (same_file(descriptor.get(), file)) {
                return descriptor;
            }
        } else if (errno != EWOULDBLOCK && errno != EINTR) {
            fail_file("lock", file, errno);
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return base::FileDescriptor();
        }
        std::this_thread::sleep_for(between_attempts);
    }
}

void sync_directory(const std::string& path) {
    const base::FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot do that for directories, and need not.
    if (!directory.is_open() || (fsync(directory.get()) != 0 && errno != EINVAL)) {
        fail_file("write to disk the directory", path, errno);
    }
}

std::string resolved(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::path at = fs::absolute(path, error);
    for (int links = 0; !error && links < links_max; ++links) {
        const fs::path there = fs::canonical(at, error);
        if (!error) {
            return there.string();
        }
        // Nothing is there yet: where a link's last part is to be made is known all the same.
        if (at.has_relative_path() && !at.has_filename()) {
            at = at.parent_path();  // it ended in a slash
        }
        error.clear();
        if (!fs::is_symlink(fs::symlink_status(at, error))) {
            const fs::path parent = fs::canonical(at.parent_path(), error);
            return error ? path : (parent / at.filename()).string();
        }
        at = at.parent_path() / fs::read_symlink(at, error);
    }
    return path;
}

}  // namespace token_auth::store_writer
