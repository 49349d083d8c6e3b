#include "base/file_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace token_auth::base {

FileWatch::FileWatch(std::string path) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
    const std::filesystem::path file = error ? std::filesystem::path(std::move(path)) : real;
    directory_ = file.has_parent_path() ? file.parent_path().string() : ".";
    name_ = file.filename().string();
    start();
}

void FileWatch::start() {
    constexpr std::uint32_t events =
        IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    FileDescriptor made(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (made.is_open() && inotify_add_watch(made.get(), directory_.c_str(), events) >= 0) {
        inotify_ = std::move(made);
    }
}

// Reads off all events; true if one concerns the file.
bool FileWatch::drain() {
    alignas(inotify_event) std::array<char, 8192> buffer{};
    bool concerned = false;
    bool lost = false;
    for (;;) {
        const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
        if (size <= 0) {
            lost = lost || (size < 0 && errno != EAGAIN && errno != EINTR);
            break;
        }
        const char* const end = buffer.data() + size;
        for (const char* at = buffer.data(); at < end;) {
            inotify_event event;
            std::memcpy(&event, at, sizeof(event));
            const char* const name = at + sizeof(event);
            if (event.len > 0 && std::string_view(name).starts_with(name_)) {
                concerned = true;
            }
            if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
                lost = true;
            }
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                concerned = true;
            }
            at = name + event.len;
        }
    }
    if (lost) {
        // The directory is another one now, or none; start() is tried again at the next wait.
        inotify_ = FileDescriptor();
        concerned = true;
    }
    return concerned;
}

Woken FileWatch::wait(std::chrono::milliseconds timeout, int stop_fd) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    if (!inotify_.is_open()) {
        start();
    }
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        std::array<pollfd, 2> files{{{stop_fd, POLLIN, 0}, {inotify_.get(), POLLIN, 0}}};
        const int ready =
            poll(files.data(), files.size(), left.count() > 0 ? static_cast<int>(left.count()) : 0);
        if (ready > 0 && (files[0].revents & (POLLIN | POLLHUP)) != 0) {
            return Woken::stopped;
        }
        if (ready > 0 && files[1].revents != 0 && drain()) {
            return Woken::event;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return Woken::timeout;
        }
    }
}

}  // namespace token_auth::base
