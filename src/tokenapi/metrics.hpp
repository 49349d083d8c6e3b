// What the server counts, and what it is doing, for Prometheus.
//
// Source: Prometheus, "Exposition formats", text format 0.0.4.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace token_auth::tokenapi {

class Metrics {
  public:
    // An answer. `operation` is a route's, or null: the request named none.
    void answered(const char* operation, unsigned status, std::chrono::duration<double> took);

    // In the text format.
    std::string text() const;

    // What there is now; whoever knows it keeps it up to date.
    std::atomic<unsigned> connections{0};
    std::atomic<unsigned> running{0};  // requests in a worker or in a thread for hashes
    std::atomic<unsigned> waiting{0};  // for a worker
    std::atomic<unsigned> hashes_running{0};
    std::atomic<unsigned> hashes_waiting{0};
    std::atomic<bool> registry_up{false};
    std::atomic<unsigned> registry_connections{0};
    // Since the start: connections that were ended because a client was too slow.
    std::atomic<std::uint64_t> timeouts{0};

  private:
    struct Took {
        double seconds = 0;
        std::uint64_t count = 0;
    };

    mutable std::mutex mutex_;
    std::map<std::pair<std::string, unsigned>, std::uint64_t> answers_;
    std::map<std::string, Took> took_;
};

}  // namespace token_auth::tokenapi
