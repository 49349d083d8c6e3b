#include "store/file_map.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace token_auth {

bool identify_file(const char* path, FileIdentity& out) noexcept {
    struct stat info {};
    if (lstat(path, &info) != 0) {
        return false;
    }
    out = {info.st_dev, info.st_ino};
    return true;
}

bool FileMap::open(const char* path) noexcept {
    close();
    // Opening a pipe would wait for its writer.
    file_ = ::open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info {};
    if (file_ < 0 || fstat(file_, &info) != 0) {
        return false;
    }
    if (!S_ISREG(info.st_mode)) {
        errno = EINVAL;
        return false;
    }
    identity_ = {info.st_dev, info.st_ino};
    errno = 0;
    return info.st_size > 0 && map(static_cast<std::size_t>(info.st_size));
}

void FileMap::close() noexcept {
    unmap();
    if (file_ >= 0) {
        ::close(file_);
        file_ = -1;
    }
}

bool FileMap::measure() noexcept {
    struct stat info {};
    if (fstat(file_, &info) != 0) {
        return false;
    }
    errno = 0;
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size < size_ || is_lost()) {
        return false;
    }
    return size == size_ || map(size);
}

bool FileMap::map(std::size_t size) noexcept {
    void* const next = mmap(nullptr, size, PROT_READ, MAP_SHARED, file_, 0);
    if (next == MAP_FAILED) {
        return false;
    }
    // Fewer and shorter walks through the page tables, if file system and kernel can do it.
    madvise(next, size, MADV_HUGEPAGE);
    unmap();
    data_ = static_cast<char*>(next);
    size_ = size;
    if (!guard_.watch(data_, size_)) {
        const int error = errno;
        unmap();
        errno = error;
        return false;
    }
    errno = 0;
    return true;
}

void FileMap::unmap() noexcept {
    guard_.release();
    if (data_ != nullptr) {
        munmap(data_, size_);
        data_ = nullptr;
        size_ = 0;
    }
}

}  // namespace token_auth
