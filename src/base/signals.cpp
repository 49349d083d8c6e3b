#include "base/signals.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace token_auth::base {

FileDescriptor signal_descriptor(std::initializer_list<int> numbers) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : numbers) {
        sigaddset(&signals, number);
    }
    if (const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
        throw Error(fmt::format("cannot block signals: {}", std::strerror(error)));
    }
    FileDescriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor.is_open()) {
        throw Error(fmt::format("cannot wait for signals: {}", std::strerror(errno)));
    }
    return descriptor;
}

}  // namespace token_auth::base
