// What to do about an error of a file, by its errno, whoever meets it.
#pragma once

#include <cerrno>

namespace token_auth {

// One clause; `otherwise` for an error whose remedy depends on what was to be done.
inline const char* file_remedy(int error, const char* otherwise) noexcept {
    switch (error) {
        case EAGAIN:
            return "another program holds a lease on it, or too much memory is locked (ulimit -l): "
                   "end that program, or raise the limit";
        case EMFILE:
            return "this process has too many files open: raise its limit (ulimit -n, LimitNOFILE "
                   "in a systemd unit, worker_rlimit_nofile in nginx.conf)";
        case ENFILE:
            return "the system has too many files open: raise fs.file-max, or end what holds them";
        case ENOMEM:
            return "free some memory, or raise the address space limit (ulimit -v, LimitAS)";
        case EIO:
            return "its disk may be failing: see the kernel's log";
        case EROFS:
            return "its file system is read-only: mount it writable";
        case ENOSPC:
        case EDQUOT:
            return "its disk is full, or a quota is used up: make room";
        case ENOTDIR:
            return "a part of the path is a file: correct the path";
        case ELOOP:
            return "a symbolic link in the path leads nowhere: correct the path";
        case ENAMETOOLONG:
            return "the path is too long: use a shorter one";
        case ENODEV:
        case ESTALE:
            return "its file system cannot be used: put it on a local one, such as ext4 or XFS";
        default:
            return otherwise;
    }
}

}  // namespace token_auth
