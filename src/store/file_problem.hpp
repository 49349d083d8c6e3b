// What is said of a store's file that cannot be opened.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "token_auth/file_remedy.hpp"
#include "token_auth/store.hpp"

namespace token_auth {

inline constexpr std::size_t shown_path_size = 256;

// The path of a store as messages show it: a part of one would lead elsewhere.
inline const char* shown_path(const char* path) noexcept {
    return std::strlen(path) < shown_path_size ? path : "PATH";
}

// "cannot <doing>: <error>; <remedy>"
inline void explain_file(char (&out)[problem_size], const char* doing, int error,
                         const char* directory) noexcept {
    char remedy[problem_size - 64];
    const char* const path = shown_path(directory);
    if (error == ENOENT) {
        std::snprintf(remedy, sizeof(remedy),
                      "correct the path, or run \"tokensync run --db %s\" to build the store",
                      path);
    } else if (error == EACCES || error == EPERM) {
        const unsigned group = getegid();
        std::snprintf(
            remedy, sizeof(remedy),
            "this process is user %u with group %u: let that group read the store "
            "(\"tokensync run --group %u --db %s\" does) and enter the directories above it",
            static_cast<unsigned>(geteuid()), group, group, path);
    } else if (error == ELOOP || error == EINVAL) {
        std::snprintf(remedy, sizeof(remedy),
                      "name a directory in which it is a file; the directory may be a link");
    } else {
        std::snprintf(remedy, sizeof(remedy), "%s",
                      file_remedy(error, "check the file system of the store"));
    }
    std::snprintf(out, sizeof(out), "cannot %s: %s; %s", doing, std::strerror(error), remedy);
}

}  // namespace token_auth
