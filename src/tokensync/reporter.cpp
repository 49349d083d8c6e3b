#include "tokensync/reporter.hpp"

#include <fmt/core.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/error.hpp"
#include "base/time.hpp"
#include "registry/reports.hpp"
#include "registry/source.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::seconds interval{5};
// How long another host of this one's name is believed in.
constexpr std::chrono::seconds shared_for{15};

std::string mark_of(std::uint64_t generation, const std::string& position) {
    return fmt::format("{} {}", generation, position);
}

}  // namespace

Reporter::Reporter(registry::Location location, const WatchLog& log)
    : location_(std::move(location)), log_(log), stop_(eventfd(0, EFD_CLOEXEC)) {
    if (!stop_.is_open()) {
        throw base::Error(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
    }
}

Reporter::~Reporter() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    eventfd_write(stop_.get(), 1);
    changed_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Reporter::connect() {
    if (location_.engine == registry::Engine::postgresql) {
        try {
            session_ = registry::open_reports(location_, registry::Access::write, stop_.get());
        } catch (const base::Error&) {
            // The thread tries it again, and says what is wrong.
        }
    }
}

void Reporter::start() {
    thread_ = std::thread([this] { work(); });
}

void Reporter::update(const State& state, bool at_once) {
    {
        const std::lock_guard lock(mutex_);
        at_once_ = at_once_ || at_once || !told_;
        told_ = true;
        state_ = state;
    }
    changed_.notify_one();
}

void Reporter::update_problem(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    state_.report.problem = problem;
}

bool Reporter::has_reported(const std::string& position) const {
    const std::lock_guard lock(mutex_);
    return reported_ == position;
}

void Reporter::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait_for(lock, interval, [this] { return ending_ || at_once_; });
        if (ending_) {
            return;
        }
        if (!told_) {
            continue;
        }
        const State state = state_;
        at_once_ = false;
        lock.unlock();
        const bool done = report(state);
        lock.lock();
        reported_ = done ? state.report.position : "";
        if (!done) {
            changed_.wait_for(lock, interval, [this] { return ending_; });
            at_once_ = true;
        }
    }
}

// Who finds in its row what it did not leave there shares its name.
void Reporter::look_for_another(const registry::HostReport& report) {
    if (left_.empty()) {
        return;
    }
    const auto there = registry::report_of(*session_, report.name);
    if (there && mark_of(there->generation, there->position) != left_) {
        if (!shared_) {
            log_.shared_name(report.name);
        }
        shared_ = Clock::now();
    } else if (shared_ && Clock::now() - *shared_ > shared_for) {
        shared_.reset();
    }
}

bool Reporter::report(const State& state) {
    try {
        if (!session_) {
            session_ = registry::open_reports(location_, registry::Access::write, stop_.get());
        }
        if (!session_) {
            return false;  // a registry of version 1
        }
        if (!forgot_) {
            registry::forget_hosts(*session_);
            forgot_ = true;
        }
        registry::HostReport now = state.report;
        now.age = base::now() - state.synced / 1000;
        look_for_another(now);
        if (shared_) {
            // --wait must take none of the two for the other one.
            now.position.clear();
            now.problem = fmt::format(
                "another tokensync reports itself under this name; give each its own by --host{}{}",
                now.problem.empty() ? "" : "; ", now.problem);
        }
        left_.clear();
        registry::put_report(*session_, now);
        left_ = mark_of(now.generation, now.position);
        problem_.clear();
        return true;
    } catch (const registry::Stopped&) {
        return false;
    } catch (const std::runtime_error& error) {
        session_.reset();
        left_.clear();  // a server that takes another one's place may know less
        if (problem_ != error.what()) {
            problem_ = error.what();
            log_.unreported(problem_);
        }
        return false;
    }
}

}  // namespace token_auth::tokensync
