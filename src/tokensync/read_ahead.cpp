#include "tokensync/read_ahead.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "base/file_descriptor.hpp"
#include "store_writer/file.hpp"

namespace token_auth::tokensync {
namespace {

// The kernel takes up no more than a few MiB at once, and leaves the rest.
constexpr off_t chunk = off_t{1} << 20;

}  // namespace

void read_ahead(const std::string& file) noexcept {
    const base::FileDescriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (descriptor.is_open() && fstat(descriptor.get(), &info) == 0 &&
        static_cast<std::uint64_t>(info.st_size) <= store_writer::half_of_memory()) {
        for (off_t at = 0; at < info.st_size; at += chunk) {
            posix_fadvise(descriptor.get(), at, chunk, POSIX_FADV_WILLNEED);
        }
    }
}

}  // namespace token_auth::tokensync
