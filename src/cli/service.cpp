#include "cli/service.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>

namespace token_auth::cli {
namespace {

constexpr std::chrono::seconds between_states{1};
constexpr std::chrono::seconds between_extensions{5};
constexpr std::chrono::microseconds extension = std::chrono::seconds{60};
constexpr int alive_per_interval = 4;

// Nothing depends on its arriving.
void tell(const std::string& state) {
    sd_notify(0, state.c_str());
}

}  // namespace

Service::Service() {
    std::uint64_t interval = 0;  // microseconds
    if (sd_watchdog_enabled(0, &interval) > 0) {
        interval_ = std::max(std::chrono::milliseconds(interval / 1000 / alive_per_interval),
                             std::chrono::milliseconds(1));
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
        tell("EXTEND_TIMEOUT_USEC=" + std::to_string(extension.count()));
    } else if (ready_ && interval_ && now - told_alive_ >= *interval_) {
        told_alive_ = now;
        tell("WATCHDOG=1");
    }
}

}  // namespace token_auth::cli
