#include "tokensync/read_ahead.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "store_writer/file.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::size_t chunk = std::size_t{64} << 10;

std::uint64_t half_of_memory() noexcept {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long size = sysconf(_SC_PAGESIZE);
    return pages <= 0 || size <= 0
               ? 0
               : static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) / 2;
}

void read_all(const std::stop_token& stop, const std::string& file) noexcept {
    const base::FileDescriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!descriptor.is_open() || fstat(descriptor.get(), &info) != 0 ||
        static_cast<std::uint64_t>(info.st_size) > half_of_memory()) {
        return;
    }
    std::array<char, chunk> buffer;
    while (!stop.stop_requested() && read(descriptor.get(), buffer.data(), buffer.size()) > 0) {
    }
}

}  // namespace

void ReadAhead::begin(const std::string& file) {
    try {
        reader_ = std::jthread(read_all, file);
    } catch (const std::system_error&) {
        // no thread to be had: it goes without
    }
}

}  // namespace token_auth::tokensync
