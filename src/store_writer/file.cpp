#include "store_writer/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "store_writer/error.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::uint64_t piece = std::uint64_t{2} << 20;

constexpr int links_max = 40;  // as the system's own limit

}  // namespace

std::uint64_t half_of_memory() noexcept {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long size = sysconf(_SC_PAGESIZE);
    return pages <= 0 || size <= 0
               ? 0
               : static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) / 2;
}

void sync_directory(const std::string& path) {
    const base::FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot do that for directories, and need not.
    if (!directory.is_open() || (fsync(directory.get()) != 0 && errno != EINVAL)) {
        fail_file("write to disk the directory", path, errno);
    }
}

void read_in_large_pieces(const std::string& file, std::uint64_t size) noexcept {
    const base::FileDescriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!descriptor.is_open() || fstat(descriptor.get(), &info) != 0 ||
        fsync(descriptor.get()) != 0 || size > static_cast<std::uint64_t>(info.st_size) ||
        size > half_of_memory()) {
        return;
    }
    posix_fadvise(descriptor.get(), 0, 0, POSIX_FADV_DONTNEED);
    void* const map = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
    if (map == MAP_FAILED) {
        return;
    }
    if (madvise(map, size, MADV_HUGEPAGE) == 0) {
        for (std::uint64_t at = 0; at < size; at += piece) {
            madvise(static_cast<char*>(map) + at, std::min(piece, size - at), MADV_POPULATE_READ);
        }
    }
    munmap(map, size);
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
