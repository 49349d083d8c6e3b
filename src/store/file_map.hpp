// A file mapped for reading that follows the file as it grows.
//
// Source: mmap(2), madvise(2).
#pragma once

#include <cstddef>

#include "store/fault_guard.hpp"
#include "token_auth/store.hpp"

namespace token_auth {

// False, with errno set, if there is none that open() would take.
bool identify_file(const char* path, FileIdentity& out) noexcept;

class FileMap {
  public:
    FileMap() noexcept = default;
    ~FileMap() { close(); }
    FileMap(const FileMap&) = delete;
    FileMap& operator=(const FileMap&) = delete;

    // Regular files only, no symbolic link. False with errno set; 0 for an empty file.
    bool open(const char* path) noexcept;
    void close() noexcept;

    // Maps what was added since. False if the file became shorter or a part of the map was lost
    // (errno is 0), or else with errno set. The map may move.
    bool measure() noexcept;

    bool is_open() const noexcept { return data_ != nullptr; }
    bool is_lost() const noexcept { return guard_.is_lost(); }
    const char* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    const FileIdentity& identity() const noexcept { return identity_; }

  private:
    bool map(std::size_t size) noexcept;
    void unmap() noexcept;

    int file_ = -1;
    char* data_ = nullptr;
    std::size_t size_ = 0;
    FileIdentity identity_{};
    FaultGuard guard_;
};

}  // namespace token_auth
