#include "tokenapi/listen.hpp"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.hpp"
#include "base/redact.hpp"

namespace token_auth::tokenapi {
namespace {

constexpr std::string_view scheme = "unix:";
constexpr mode_t socket_mode = 0660;  // nginx's workers are in its group
constexpr int backlog = 1024;

base::Error failure(const std::string& path, const char* what) {
    return base::Error(
        fmt::format("{}: {}: {}", base::redacted_path(path), what, std::strerror(errno)));
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// A socket that nobody listens on is left over from a process that was killed.
void remove_left_over(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        return;  // bind() has the message, if it is not that there is none
    }
    if (!S_ISSOCK(status.st_mode)) {
        throw base::Error(fmt::format("{} is no socket; remove it, or name another --listen",
                                      base::redacted_path(path)));
    }
    const base::FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno != ECONNREFUSED) {
        throw base::Error(fmt::format("{} is in use; stop the tokenapi that listens there",
                                      base::redacted_path(path)));
    }
    unlink(path.c_str());
}

}  // namespace

void ListeningSocket::require_address(const std::string& address) {
    const bool understood =
        address.empty() || (address.starts_with("unix:/") &&
                            address.size() - scheme.size() < sizeof(sockaddr_un::sun_path));
    if (!understood) {
        throw base::Error(
            "--listen is not understood: write unix: and an absolute path of at most 107 bytes, "
            "such as unix:/run/token-auth/api.sock; tokenapi does not listen on TCP, nginx does",
            base::ErrorKind::invalid_argument);
    }
}

ListeningSocket::ListeningSocket(const std::string& address) {
    require_address(address);
    if (address.empty() && take_over()) {
        return;
    }
    make((address.empty() ? std::string(default_socket) : address).substr(scheme.size()));
}

bool ListeningSocket::take_over() {
    const int count = sd_listen_fds(1);
    if (count == 0) {
        return false;
    }
    if (count != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, nullptr, 0) <= 0) {
        throw base::Error(
            "systemd must hand over one Unix stream socket; see ListenStream= of the .socket unit");
    }
    fd_ = base::FileDescriptor(SD_LISTEN_FDS_START);
    return true;
}

void ListeningSocket::make(const std::string& path) {
    const sockaddr_un address = address_of(path);
    remove_left_over(path, address);
    base::FileDescriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // Nobody may connect before it has its mode.
    const mode_t before = umask(0777 & ~socket_mode);
    const int bound =
        bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    umask(before);
    if (!made.is_open() || bound != 0) {
        throw failure(path, "cannot make the socket");
    }
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0 || listen(made.get(), backlog) != 0) {
        throw failure(path, "cannot listen");
    }
    fd_ = std::move(made);
    path_ = path;
    device_ = status.st_dev;
    inode_ = status.st_ino;
}

void ListeningSocket::withdraw() noexcept {
    struct stat status {};
    if (!path_.empty() && lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
        status.st_ino == inode_) {
        unlink(path_.c_str());
    }
    path_.clear();
}

}  // namespace token_auth::tokenapi
