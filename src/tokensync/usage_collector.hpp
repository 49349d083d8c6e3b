// Tells the registry when tokens were used last (registry/usage.hpp), as nginx tells it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "registry/session.hpp"
#include "tokensync/usage_page.hpp"
#include "tokensync/watch_log.hpp"

namespace token_auth::tokensync {

struct UsageOptions {
    UsageAddress page;
    std::chrono::seconds interval{10};
    registry::Location reports;
    registry::Location registry;  // of the tokens
    std::string host;
};

// Works in a thread of its own: neither an nginx that hangs nor a large batch holds up what else
// watch does. What goes wrong is logged, once, and tried again: nginx keeps what it was not asked
// for.
class UsageCollector {
  public:
    // As far as it is known.
    struct State {
        bool told = false;           // nginx answered, and what it said is stored
        std::string problem;         // since the last time; empty: none
        std::uint64_t lost = 0;      // as nginx counts them
        std::uint64_t written = 0;   // tokens' uses, by this process
        std::uint64_t restarts = 0;  // of nginx's table, seen by this process
    };

    UsageCollector(UsageOptions options, const WatchLog& log);
    // Ends the thread, be it in the middle of a wait.
    ~UsageCollector();
    UsageCollector(const UsageCollector&) = delete;
    UsageCollector& operator=(const UsageCollector&) = delete;

    // Connects to a server, with rights that are given up before start().
    void connect();
    void start();

    State state() const;

  private:
    using Clock = std::chrono::steady_clock;

    void work();
    void collect(State& state);
    bool open();
    void ask_all(State& state);
    void tell_of(const UsageAnswer& answer, State& state);
    void prune();

    UsageOptions options_;
    const WatchLog& log_;
    base::FileDescriptor stop_;
    std::atomic<bool> ending_{false};
    // the thread's, once that runs
    std::unique_ptr<registry::Session> session_;
    std::string cursor_ = "last";
    std::string epoch_;
    std::optional<Clock::time_point> told_of_loss_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    State state_;  // under the mutex
    std::thread thread_;
};

}  // namespace token_auth::tokensync
