// What a service tells systemd, if it was started by it.
//
// Source: sd_notify(3), sd_watchdog_enabled(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace token_auth::cli {

class Service {
  public:
    Service();

    // It does what it is there for from now on. Told once.
    void ready();
    // What it does, in one line; at most once a second, and only what is new.
    void status(const std::string& text);
    void stopping();

    // Something was achieved: keeps the watchdog quiet, and a long start from being given up.
    // Cheap enough to be called a few times a second.
    void alive();

    // How often alive() must be called at least; empty if nobody waits for it.
    std::optional<std::chrono::milliseconds> interval() const { return interval_; }

  private:
    using Clock = std::chrono::steady_clock;

    std::optional<std::chrono::milliseconds> interval_;
    bool ready_ = false;
    std::string status_;
    Clock::time_point told_status_{};
    Clock::time_point told_alive_{};
};

}  // namespace token_auth::cli
