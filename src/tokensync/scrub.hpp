// Finds damage in a store that is being served, before a request or the writer meets it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace token_auth::tokensync {

// Reads the store through by src/store every hour, a few milliseconds a second, and looks every
// second whether it can be opened.
class Scrub {
  public:
    explicit Scrub(std::string path) : path_(std::move(path)) {}

    // Reads on, if it is time to. Throws store_writer::DamagedStore.
    void step();

    // Reads all of it at the next step.
    void read_all() noexcept;

  private:
    using Clock = std::chrono::steady_clock;

    std::string path_;
    std::uint64_t next_key_ = 0;
    bool at_once_ = false;
    Clock::time_point next_pass_ = Clock::now();
    Clock::time_point next_step_{};
};

}  // namespace token_auth::tokensync
