// How far a full load is, shown on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace token_auth::tokensync {

class Progress {
  public:
    // Shown only if standard error is a terminal and `wanted`.
    // `tick`, if given, is called a few times a second while tokens come; it may throw.
    explicit Progress(bool wanted, std::function<void()> tick = {});
    ~Progress() { finish(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    bool shown() const noexcept { return shown_; }

    void start(std::uint64_t tokens);
    void token();
    void finish();

  private:
    void draw();

    bool shown_;
    std::function<void()> tick_;
    std::chrono::steady_clock::time_point ticked_{};
    bool drawn_ = false;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
    std::chrono::steady_clock::time_point begun_{};
    std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace token_auth::tokensync
