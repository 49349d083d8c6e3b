// Exit statuses of the command-line programs.
#pragma once

#include "base/error.hpp"

namespace token_auth::cli {

enum Exit : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_refused = 3,
    exit_differs = 4,
};

inline Exit exit_status(base::ErrorKind kind) noexcept {
    switch (kind) {
        case base::ErrorKind::invalid_argument:
            return exit_usage;
        case base::ErrorKind::refused:
            return exit_refused;
        case base::ErrorKind::failed:
            break;
    }
    return exit_failed;
}

}  // namespace token_auth::cli
