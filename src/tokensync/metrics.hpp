// What `watch` counts, as a file for node_exporter's textfile collector.
//
// Source: Prometheus's text exposition format.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "store_writer/meta.hpp"
#include "tokensync/sync.hpp"
#include "tokensync/usage_collector.hpp"

namespace token_auth::tokensync {

struct Metrics {
    bool registry_up = false;       // the last look at it worked
    std::int64_t last_success = 0;  // Unix seconds; 0: none
    std::uint64_t commits = 0;
    std::uint64_t full_loads = 0;
    std::uint64_t failures = 0;
    std::uint64_t generation = 0;
    store_writer::Contents contents;
    std::optional<UsageCollector::State> usage;

    void add(const Outcome& outcome, const store_writer::Meta& meta);
    std::string text() const;
};

class MetricsFile {
  public:
    // Empty: none is written.
    explicit MetricsFile(std::string path) : path_(std::move(path)) {}

    // Puts a new file in place of the old one, every few seconds or once the registry goes up or
    // down. What is wrong, if it is not what was wrong before; empty: nothing.
    std::string write(const Metrics& metrics);

  private:
    using Clock = std::chrono::steady_clock;

    void replace(const std::string& text) const;

    std::string path_;
    Clock::time_point next_{};
    bool registry_up_ = false;
    std::string problem_;
};

}  // namespace token_auth::tokensync
