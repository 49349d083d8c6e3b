#include "watch.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "cli/output.hpp"
#include "report.hpp"
#include "sync.hpp"

namespace token_auth::tokensync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_retry{100};
constexpr std::chrono::milliseconds last_retry{5000};
// How long to wait for a change where no heartbeat is due.
constexpr std::chrono::milliseconds long_wait{5000};

// SIGTERM and SIGINT as a descriptor, so that they end every wait at once and nothing else.
Descriptor stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
        throw cli::Error(fmt::format("cannot block signals: {}", std::strerror(errno)));
    }
    signal(SIGPIPE, SIG_IGN);  // the log's reader may go before this does
    Descriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor.is_open()) {
        throw cli::Error(fmt::format("cannot wait for signals: {}", std::strerror(errno)));
    }
    return descriptor;
}

class Watch {
  public:
    Watch(registry::Source& source, const StoreOptions& options, std::chrono::seconds heartbeat,
          bool json)
        : source_(source),
          options_(options),
          heartbeat_(heartbeat),
          json_(json),
          stop_(stop_signals()) {
        source_.stop_on(stop_.get());
    }

    void run() {
        while (!stopped(std::chrono::milliseconds(0))) {
            try {
                step();
                recovered();
                source_.wait(until_heartbeat(), stop_.get());
            } catch (const registry::Stopped&) {
                break;
            } catch (const StoreError& error) {
                if (!started_) {
                    throw;
                }
                failed(error.what());
            } catch (const cli::Error& error) {
                // Wrong usage does not get right by itself; a refusal before the first sync is for
                // whoever starts this to see.
                if (!started_ && error.status() != cli::exit_failed) {
                    throw;
                }
                failed(error.what());
            } catch (const std::runtime_error& error) {
                failed(error.what());
            }
        }
        note("stopped", "event", "stopped");
    }

  private:
    void step() {
        if (writer_ && !writer_->in_place()) {
            writer_.reset();
        }
        if (!writer_) {
            writer_ = std::make_unique<Writer>(options_);
        }
        const bool beat = heartbeat_.count() > 0 && Clock::now() >= next_beat_;
        Progress progress(!started_ && !json_);
        Wish wish;
        wish.force = options_.force && !started_;
        wish.commit_unchanged = beat || !started_;
        const Outcome outcome = synchronize(source_, *writer_, wish, progress);
        if (outcome.committed) {
            next_beat_ = Clock::now() + heartbeat_;
        }
        if (!started_ || outcome.changed() || outcome.full) {
            const Meta& meta = *writer_->meta();
            say(json_ ? outcome_json(outcome, meta) : outcome_line(outcome, meta));
        }
        started_ = true;
    }

    std::chrono::milliseconds until_heartbeat() const {
        if (heartbeat_.count() == 0) {
            return long_wait;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_beat_ - Clock::now());
        return std::max(left, std::chrono::milliseconds(1));
    }

    void recovered() {
        if (!problem_.empty()) {
            note("recovered", "event", "recovered");
            problem_.clear();
        }
        retry_ = first_retry;
    }

    void failed(const std::string& problem) {
        // Whoever wants to mend the store by hand finds it unlocked meanwhile.
        writer_.reset();
        if (problem != problem_) {
            note(fmt::format("{}; trying again", problem), "error", problem);
            problem_ = problem;
        }
        stopped(retry_);
        retry_ = std::min(retry_ * 2, last_retry);
    }

    void note(const std::string& text, const char* key, const std::string& value) const {
        if (!json_) {
            say(text);
            return;
        }
        cli::Json line;
        line[key] = value;
        say(line.dump(-1, ' ', false, cli::Json::error_handler_t::replace));
    }

    static void say(const std::string& line) {
        try {
            cli::note(line);
        } catch (const std::system_error&) {
            // A log that nobody reads any more is no reason to let the store grow old.
        }
    }

    // Waits that long for a signal to stop.
    bool stopped(std::chrono::milliseconds timeout) const {
        pollfd file{stop_.get(), POLLIN, 0};
        return poll(&file, 1, static_cast<int>(timeout.count())) > 0;
    }

    registry::Source& source_;
    StoreOptions options_;
    std::chrono::seconds heartbeat_;
    bool json_;
    Descriptor stop_;
    std::unique_ptr<Writer> writer_;
    bool started_ = false;
    std::string problem_;
    Clock::time_point next_beat_{};
    std::chrono::milliseconds retry_ = first_retry;
};

}  // namespace

void watch(registry::Source& source, const StoreOptions& options, std::chrono::seconds heartbeat,
           bool json) {
    Watch(source, options, heartbeat, json).run();
}

}  // namespace token_auth::tokensync
