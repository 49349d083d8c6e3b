#include "tokensync/usage_collector.hpp"

#include <curl/curl.h>
#include <fmt/core.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/error.hpp"
#include "registry/reports.hpp"
#include "registry/source.hpp"
#include "registry/usage.hpp"

namespace token_auth::tokensync {
namespace {

// nginx's zone may overflow all the time.
constexpr std::chrono::hours between_losses{1};

}  // namespace

UsageCollector::UsageCollector(UsageOptions options, const WatchLog& log)
    : options_(std::move(options)), log_(log), stop_(eventfd(0, EFD_CLOEXEC)) {
    if (!stop_.is_open()) {
        throw base::Error(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);  // while there is one thread
}

UsageCollector::~UsageCollector() {
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

void UsageCollector::connect() {
    if (options_.reports.engine == registry::Engine::postgresql) {
        try {
            open();
        } catch (const base::Error&) {
            // The thread tries it again, and says what is wrong.
        }
    }
}

void UsageCollector::start() {
    thread_ = std::thread([this] { work(); });
}

UsageCollector::State UsageCollector::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

void UsageCollector::work() {
    std::unique_lock lock(mutex_);
    do {
        State state = state_;
        lock.unlock();
        collect(state);
        lock.lock();
        state_ = std::move(state);
    } while (!changed_.wait_for(lock, options_.interval, [this] { return ending_.load(); }));
}

void UsageCollector::collect(State& state) {
    std::string problem;
    try {
        if (open()) {
            ask_all(state);
            prune();
            state.told = true;
        } else {
            problem = fmt::format(
                "registry {}: has version 1, which holds no last use; bring it to this release's "
                "version by `tokenctl migrate`",
                options_.reports.shown);
        }
    } catch (const registry::Stopped&) {
        return;
    } catch (const registry::SqlError& error) {
        session_.reset();
        problem = error.what();
    } catch (const std::runtime_error& error) {
        problem = error.what();
    }
    if (!problem.empty() && problem != state.problem) {
        log_.usage_failed(problem);
    }
    state.problem = problem;
}

bool UsageCollector::open() {
    if (!session_) {
        session_ = registry::open_reports(options_.reports, registry::Access::write, stop_.get());
    }
    return session_ != nullptr;
}

// What an answer says is stored before its cursor is used, by which nginx knows. Behind the last
// part it is used at once, for nothing else (asking clears nothing): whoever starts next is told no
// more of what is stored.
void UsageCollector::ask_all(State& state) {
    std::size_t stored = 0;
    for (bool more = true; more;) {
        const UsageAnswer answer = ask_usage(options_.page, cursor_, ending_);
        registry::put_usage(*session_, answer.uses);
        stored += answer.uses.size();
        cursor_ = answer.cursor;
        more = answer.more;
        tell_of(answer, state);
    }
    state.written += stored;
    if (stored != 0) {
        ask_usage(options_.page, cursor_, ending_);
    }
}

void UsageCollector::tell_of(const UsageAnswer& answer, State& state) {
    if (!epoch_.empty() && answer.epoch != epoch_) {
        ++state.restarts;
        state.lost = 0;
        log_.usage_restarted();
    }
    epoch_ = answer.epoch;
    const auto now = Clock::now();
    if (answer.lost > state.lost && (!told_of_loss_ || now - *told_of_loss_ >= between_losses)) {
        told_of_loss_ = now;
        log_.usage_lost(answer.lost);
    }
    state.lost = answer.lost;
}

void UsageCollector::prune() {
    if (!registry::claim_prune(*session_, options_.host)) {
        return;
    }
    if (options_.reports.engine == registry::Engine::postgresql) {
        registry::prune_usage(*session_, *session_);
        return;
    }
    std::unique_ptr<registry::Session> registry;
    try {
        registry = registry::open_session(options_.registry, registry::Access::read,
                                          registry::oldest_readable_schema);
    } catch (const base::Error&) {
        return;  // Syncing says what is wrong, unless it opened it with rights that were given up.
    }
    registry::prune_usage(*session_, *registry);
}

}  // namespace token_auth::tokensync
