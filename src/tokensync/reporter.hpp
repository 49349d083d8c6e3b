// Tells others how far this host is: its row for `tokenctl hosts` and --wait (registry/hosts.hpp).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "registry/hosts.hpp"
#include "tokensync/watch_log.hpp"

namespace token_auth::tokensync {

// Reports in a thread of its own, so that a database that hangs holds no sync up. What goes wrong
// is logged, once, and tried again.
class Reporter {
  public:
    struct State {
        registry::HostReport report;
        std::int64_t synced = 0;  // Unix milliseconds, for the age
    };

    Reporter(registry::Location location, const WatchLog& log);
    // Ends the thread, be it in the middle of a wait.
    ~Reporter();
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;

    // Connects to a server, with rights that are given up before start().
    void connect();
    void start();

    // What is to be reported from now on: every few seconds, or at once.
    void update(const State& state, bool at_once);
    // The same state with another problem.
    void update_problem(const std::string& problem);
    // Whether this position of the store is reported already.
    bool has_reported(const std::string& position) const;

  private:
    using Clock = std::chrono::steady_clock;

    void work();
    bool report(const State& state);
    void look_for_another(const registry::HostReport& report);

    registry::Location location_;
    const WatchLog& log_;
    base::FileDescriptor stop_;
    std::unique_ptr<registry::Session> session_;  // the thread's, once that runs
    std::string problem_;                         // the thread's: logged last
    bool forgot_ = false;                         // the thread's: hosts of long ago are removed
    std::string left_;                            // the thread's: what it left in the row
    std::optional<Clock::time_point> shared_;     // the thread's: another one was there last
    mutable std::mutex mutex_;                    // of all below
    std::condition_variable changed_;
    State state_;
    bool told_ = false;  // a state was given
    bool at_once_ = false;
    bool ending_ = false;
    std::string reported_;  // the position
    std::thread thread_;
};

}  // namespace token_auth::tokensync
