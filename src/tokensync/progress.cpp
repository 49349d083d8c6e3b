#include "tokensync/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/time.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::milliseconds redraw_interval{200};
constexpr std::uint64_t look_at_clock_every = 1024;  // tokens

}  // namespace

Progress::Progress(bool wanted, std::function<void()> tick)
    : shown_(wanted && isatty(STDERR_FILENO) == 1), tick_(std::move(tick)) {}

void Progress::start(std::uint64_t tokens) {
    total_ = tokens;
    done_ = 0;
    begun_ = std::chrono::steady_clock::now();
    drawn_at_ = begun_;
}

void Progress::token() {
    ++done_;
    if (done_ % look_at_clock_every != 0) {
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (tick_ && now - ticked_ >= redraw_interval) {
        ticked_ = now;
        tick_();
    }
    if (shown_ && now - drawn_at_ >= redraw_interval) {
        drawn_at_ = now;
        draw();
    }
}

void Progress::draw() {
    const double seconds = std::chrono::duration<double>(drawn_at_ - begun_).count();
    const double rate = static_cast<double>(done_) / seconds;
    const double left = total_ > done_ ? static_cast<double>(total_ - done_) / rate : 0;
    const double part = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
    fmt::print(stderr, "\r\033[K{} of {} tokens ({:.0f} %), {:.0f}/s, {} left", done_, total_,
               100 * part, rate, base::format_duration(static_cast<std::int64_t>(left)));
    std::fflush(stderr);
    drawn_ = true;
}

void Progress::finish() {
    if (drawn_) {
        std::fputs("\r\033[K", stderr);
        drawn_ = false;
    }
}

}  // namespace token_auth::tokensync
