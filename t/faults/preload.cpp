// Preloaded into a program, slows it down or kills it where a fault test says so.
//
//   TOKEN_AUTH_SLOW_DISK     microseconds on average that a write to disk takes longer
//   TOKEN_AUTH_SLOW_LOOKUP   the same for SHA256_Transform: a worker computes the digest once it
//                            has read the store's meta pages, before it looks the token up
//   TOKEN_AUTH_FAIL_META     fails the writes of LMDB's meta pages with EIO, once they are done
//   TOKEN_AUTH_KILL_AT       kills the program (SIGKILL) after that write to disk, counted from 1
//
// Writes to disk are fsync, fdatasync, msync, pwrite, pwritev and writev.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <dlfcn.h>
#include <openssl/sha.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

// nginx clears the environment of its processes: read it when this is loaded.
long setting(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? 0 : std::strtol(text, nullptr, 10);
}

const long slow_disk = setting("TOKEN_AUTH_SLOW_DISK");
const long slow_lookup = setting("TOKEN_AUTH_SLOW_LOOKUP");
const long fail_meta = setting("TOKEN_AUTH_FAIL_META");
const long kill_at = setting("TOKEN_AUTH_KILL_AT");
long writes = 0;

// Evenly from 0 to twice the mean.
void pause_for(long mean) {
    if (mean > 0) {
        usleep(static_cast<useconds_t>(random() % (2 * mean + 1)));
    }
}

// Half of the delay before a write, half of it after.
class Write {
  public:
    Write() { pause_for(slow_disk / 2); }
    ~Write() {
        if (++writes == kill_at) {
            kill(getpid(), SIGKILL);
        }
        pause_for(slow_disk / 2);
    }
    Write(const Write&) = delete;
    Write& operator=(const Write&) = delete;
};

// mdb_env_write_meta() writes a part of one of the first two pages.
bool is_meta(int file, size_t size, off64_t at) {
    char link[64];
    std::snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    char path[4096];
    const ssize_t length = readlink(link, path, sizeof(path));
    return at > 0 && at < 2 * 4096 && size < 4096 &&
           std::string_view(path, length > 0 ? static_cast<size_t>(length) : 0).find("/data.mdb") !=
               std::string_view::npos;
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int fsync(int file) {
    static auto* const real = next<int(int)>("fsync");
    const Write write;
    return real(file);
}

int fdatasync(int file) {
    static auto* const real = next<int(int)>("fdatasync");
    const Write write;
    return real(file);
}

int msync(void* address, size_t size, int flags) {
    static auto* const real = next<int(void*, size_t, int)>("msync");
    const Write write;
    return real(address, size, flags);
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
    static auto* const real = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    const Write write;
    const ssize_t written = real(file, data, size, at);
    if (fail_meta != 0 && is_meta(file, size, at)) {
        errno = EIO;
        return -1;
    }
    return written;
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
    return pwrite64(file, data, size, at);
}

ssize_t pwritev(int file, const struct iovec* data, int count, off_t at) {
    static auto* const real = next<ssize_t(int, const struct iovec*, int, off_t)>("pwritev");
    const Write write;
    return real(file, data, count, at);
}

ssize_t writev(int file, const struct iovec* data, int count) {
    static auto* const real = next<ssize_t(int, const struct iovec*, int)>("writev");
    const Write write;
    return real(file, data, count);
}

void SHA256_Transform(SHA256_CTX* context, const unsigned char* block) {
    static auto* const real = next<void(SHA256_CTX*, const unsigned char*)>("SHA256_Transform");
    pause_for(slow_lookup);
    real(context, block);
}

}  // extern "C"
