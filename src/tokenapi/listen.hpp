// The Unix socket that the server listens on: its own, or one that systemd hands over.
//
// Source: unix(7), sd_listen_fds(3).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/file_descriptor.hpp"

namespace token_auth::tokenapi {

inline constexpr const char* default_socket = "unix:/run/token-auth/api.sock";

class ListeningSocket {
  public:
    // `address` is "unix:" and an absolute path; empty: systemd's socket, or the default if there
    // is none. A socket that nobody listens on any more is replaced. base::Error.
    explicit ListeningSocket(const std::string& address);
    ~ListeningSocket() { withdraw(); }
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    int fd() const noexcept { return fd_.get(); }

    // Takes its own name off the file system: nobody connects any more.
    void withdraw() noexcept;
    void close() noexcept { fd_ = base::FileDescriptor(); }

    // base::Error unless the address is understood.
    static void require_address(const std::string& address);

  private:
    bool take_over();
    void make(const std::string& path);

    base::FileDescriptor fd_;
    std::string path_;  // empty: not ours to remove
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace token_auth::tokenapi
