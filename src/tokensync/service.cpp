#include "tokensync/service.hpp"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/file_descriptor.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::seconds between_states{1};
constexpr std::chrono::seconds between_extensions{5};
constexpr std::chrono::seconds extension{60};
constexpr int alive_per_interval = 4;

std::string_view variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value <= 0) {
        return std::nullopt;
    }
    return value;
}

base::FileDescriptor connect_to(std::string_view path) {
    sockaddr_un address{};
    // "@" is the abstract namespace; other kinds of address are for virtual machines.
    if (path.size() < 2 || path.size() >= sizeof(address.sun_path) ||
        (path.front() != '/' && path.front() != '@')) {
        return base::FileDescriptor();
    }
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path.front() == '@') {
        address.sun_path[0] = '\0';
    }
    base::FileDescriptor made(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!made.is_open() ||
        connect(made.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        return base::FileDescriptor();
    }
    return made;
}

}  // namespace

Service::Service() : socket_(connect_to(variable("NOTIFY_SOCKET"))) {
    const std::string_view process = variable("WATCHDOG_PID");
    const auto interval = number(variable("WATCHDOG_USEC"));
    if (socket_.is_open() && interval && (process.empty() || number(process) == getpid())) {
        interval_ = std::max(std::chrono::milliseconds(*interval / 1000 / alive_per_interval),
                             std::chrono::milliseconds(1));
    }
}

void Service::tell(const std::string& text) const noexcept {
    if (socket_.is_open()) {
        // Nothing depends on its arriving.
        [[maybe_unused]] const ssize_t sent =
            send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
}

void Service::ready() {
    if (!ready_) {
        ready_ = true;
        tell("READY=1");
    }
}

void Service::status(const std::string& text) {
    const auto now = Clock::now();
    if (text == status_ || now - told_status_ < between_states) {
        return;
    }
    status_ = text;
    told_status_ = now;
    std::string line = text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    tell("STATUS=" + line);
}

void Service::stopping() {
    tell("STOPPING=1");
}

void Service::alive() {
    const auto now = Clock::now();
    if (!ready_ && now - told_alive_ >= between_extensions) {
        told_alive_ = now;
        tell(fmt::format("EXTEND_TIMEOUT_USEC={}", std::chrono::microseconds(extension).count()));
    } else if (ready_ && interval_ && now - told_alive_ >= *interval_) {
        told_alive_ = now;
        tell("WATCHDOG=1");
    }
}

}  // namespace token_auth::tokensync
