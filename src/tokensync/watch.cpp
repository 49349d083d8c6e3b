#include "tokensync/watch.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/signals.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/service.hpp"
#include "store_writer/error.hpp"
#include "token_auth/version.hpp"
#include "tokensync/account.hpp"
#include "tokensync/inspect.hpp"
#include "tokensync/metrics.hpp"
#include "tokensync/read_ahead.hpp"
#include "tokensync/reporter.hpp"
#include "tokensync/restart.hpp"
#include "tokensync/scrub.hpp"
#include "tokensync/supervise.hpp"
#include "tokensync/sync.hpp"
#include "tokensync/usage_collector.hpp"

namespace token_auth::tokensync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_retry{100};
constexpr std::chrono::milliseconds last_retry{5000};
// An attempt that took long, such as a full load that was refused, is rested for as long; at most:
constexpr std::chrono::milliseconds longest_rest{60000};
// How often to look whether the store is still in its place.
constexpr std::chrono::milliseconds longest_wait{1000};
// How often to ask whether the removal of what is held back is meant by now.
constexpr std::chrono::seconds between_reviews{30};
// Between two commits under a stream of changes. The first one after a pause is not held up, and
// none waits for longer than this.
constexpr std::chrono::milliseconds between_commits{20};
// For somebody who is putting another store in place of this one, or has just done so.
constexpr std::chrono::milliseconds replacing_takes{1000};

class Watch {
  public:
    Watch(registry::Source& source, const store_writer::StoreOptions& options,
          const WatchOptions& how)
        : source_(source),
          options_(options),
          heartbeat_(how.heartbeat),
          host_(how.host),
          show_progress_(how.format == LogFormat::text),
          log_(how.format),
          metrics_file_(how.metrics),
          scrub_(options.path),
          stop_(base::signal_descriptor({SIGTERM, SIGINT})),
          read_all_(base::signal_descriptor({SIGHUP})) {
        signal(SIGPIPE, SIG_IGN);  // the log's reader may go before this does
        options_.read_through = true;
        source_.stop_on(stop_.get());
        if (how.reports_to) {
            reporter_ = std::make_unique<Reporter>(*how.reports_to, log_);
        }
        if (how.usage) {
            collector_ = std::make_unique<UsageCollector>(*how.usage, log_);
        }
    }

    // False if it ended because the registry cannot be opened with these rights.
    bool run() {
        if (geteuid() == 0) {
            open_registry_as_root();
            if (reporter_) {
                reporter_->connect();
            }
            if (collector_) {
                collector_->connect();
            }
            become_owner(options_);
        }
        if (reporter_) {
            reporter_->start();
        }
        if (collector_) {
            collector_->start();
        }
        if (faults_before() > 1) {
            rest(std::min(first_retry * (1 << faults_before()), last_retry));
        }
        while (!registry_lost_ && !stopped(std::chrono::milliseconds(0))) {
            try {
                begun_ = Clock::now();
                step();
                begun_.reset();
                recovered();
                scrub();
                source_.wait(longest_sleep());
                let_changes_gather();
            } catch (const registry::Stopped&) {
                break;
            } catch (const store_writer::StoreReplaced&) {
                reopen();
            } catch (const store_writer::StoreError& error) {
                if (!started_) {
                    throw;
                }
                failed(error.what());
            } catch (const base::Error& error) {
                // Wrong usage does not get right by itself; a refusal before the first sync is for
                // whoever starts this to see.
                if (!started_ && error.kind() != base::ErrorKind::failed) {
                    throw;
                }
                failed_at_registry(error.what());
            } catch (const std::runtime_error& error) {
                failed_at_registry(error.what());
            }
        }
        writer_.reset();
        collector_.reset();
        reporter_.reset();
        if (!registry_lost_) {
            service_.stopping();
            log_.stopped();
        }
        return !registry_lost_;
    }

  private:
    // One that is away is waited for, then with the rights of the store's owner.
    void open_registry_as_root() {
        try {
            source_.identity();
        } catch (const base::Error& error) {
            if (error.kind() != base::ErrorKind::failed) {
                throw;
            }
        } catch (const registry::Stopped&) {
            // run() sees that itself
        }
    }

    bool is_asked_to_read_all() const {
        std::array<signalfd_siginfo, 8> signals{};
        return read(read_all_.get(), signals.data(), sizeof(signals)) > 0;
    }

    // A damaged store is read through and made anew by the next step.
    void scrub() {
        if (is_asked_to_read_all()) {
            scrub_.read_all();
        }
        try {
            scrub_.step();
        } catch (const store_writer::DamagedStore&) {
            options_.read_through = true;
            writer_.reset();
        }
    }

    void step() {
        if (writer_ && !writer_->in_place()) {
            reopen();
        }
        if (!writer_) {
            wait_for_directory();
            options_.read_through = is_asked_to_read_all() || options_.read_through;
            writer_ = std::make_unique<store_writer::StoreWriter>(options_, inspect);
            options_.read_through = !writer_->damage().empty();
            options_.lock_wait = replacing_takes;
            if (unread_) {
                read_ahead(options_.path + "/data.mdb");
                unread_ = false;
            }
        }
        const bool beat = heartbeat_.count() > 0 && Clock::now() >= next_beat_;
        Progress progress(!started_ && show_progress_, [this] { tick(); });
        SyncOptions sync;
        sync.force = options_.force && !started_;
        sync.rebuild = faults_before() > 0 && !started_;
        // Workers do not take up one that was put in place with a lower generation.
        const bool lower = writer_->meta() && writer_->meta()->generation < options_.generation;
        sync.commit_unchanged = beat || !started_ || lower;
        sync.review = !started_ || Clock::now() >= next_review_;
        const Outcome outcome = synchronize(source_, writer_, sync, progress);
        looked_ = Clock::now();
        if (sync.review) {
            next_review_ = looked_ + between_reviews;
        }
        options_.generation = writer_->generation();
        const store_writer::Meta& meta = *writer_->meta();
        if (outcome.committed) {
            next_beat_ = looked_ + heartbeat_;
        }
        if (!started_ || outcome.changed() || outcome.full) {
            log_.synced(outcome, meta);
        }
        log_.left_out(outcome);
        if (meta.contents.counts.held_back != 0 && (!started_ || outcome.newly_held != 0)) {
            log_.held_back(meta.contents.counts.held_back, options_.path, source_.title());
        }
        started_ = true;
        reopened_ = false;
        service_.ready();
        service_.status(fmt::format(
            "Up to date at {}: {}, generation {}", base::format_time(meta.synced / 1000),
            base::counted(meta.contents.counts.tokens, "token"), meta.generation));
        service_.alive();
        report(meta);
        metrics_.add(outcome, meta);
        write_metrics();
        if (meta.contents.counts.held_back != 0) {
            writer_.reset();  // so that "tokensync run --force" finds the store unlocked
        }
    }

    void report(const store_writer::Meta& meta) {
        if (!reporter_) {
            return;
        }
        Reporter::State state;
        state.report.name = host_;
        state.report.version = token_auth::version;
        state.report.generation = meta.generation;
        state.report.position = meta.position;
        state.report.held_back = meta.contents.counts.held_back;
        state.report.left_out = meta.contents.counts.left_out;
        state.synced = meta.synced;
        if (collector_) {
            const UsageCollector::State usage = collector_->state();
            state.report.tells_usage =
                usage.told ? registry::TellsUsage::yes : registry::TellsUsage::trying;
            state.report.usage_lost = usage.lost;
            state.report.usage_problem = usage.problem;
        }
        const bool differs = state.report.tells_usage != reported_.tells_usage ||
                             state.report.usage_problem != reported_.usage_problem;
        reporter_->update(
            state, differs || (!reporter_->has_reported(meta.position) && source_.is_awaited()));
        reported_ = std::move(state.report);
    }

    void write_metrics() {
        if (collector_) {
            metrics_.usage = collector_->state();
        }
        const std::string problem = metrics_file_.write(metrics_);
        if (!problem.empty()) {
            log_.unmetered(problem);
        }
    }

    void reopen() {
        writer_.reset();
        unread_ = true;
        if (!reopened_) {
            reopened_ = true;
            log_.replaced(options_.path);
        }
    }

    // A store that is moved away is likely to be followed by another one, which must not find a
    // new one in its way.
    void wait_for_directory() const {
        if (!started_) {
            return;
        }
        const auto deadline = Clock::now() + replacing_takes;
        while (access(options_.path.c_str(), F_OK) != 0 && Clock::now() < deadline) {
            if (stopped(between_commits)) {
                throw registry::Stopped();
            }
        }
    }

    // In a full load, a few times a second.
    void tick() {
        service_.alive();
        if (stopped(std::chrono::milliseconds(0))) {
            throw registry::Stopped();
        }
    }

    void let_changes_gather() const {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(looked_ + between_commits - Clock::now());
        if (left.count() > 0) {
            stopped(left);
        }
    }

    std::chrono::milliseconds longest_sleep() const {
        std::chrono::milliseconds sleep = longest_wait;
        if (heartbeat_.count() > 0) {
            sleep = std::min(
                sleep, std::chrono::ceil<std::chrono::milliseconds>(next_beat_ - Clock::now()));
        }
        if (service_.interval()) {
            sleep = std::min(sleep, *service_.interval());
        }
        return std::max(sleep, std::chrono::milliseconds(1));
    }

    void recovered() {
        if (!problem_.empty()) {
            log_.recovered();
            problem_.clear();
        }
        retry_ = first_retry;
    }

    // If root's rights are at hand, they are tried when the registry fails again.
    void failed_at_registry(const std::string& problem) {
        registry_lost_ = is_supervised() && problem == problem_;
        failed(problem);
    }

    void failed(const std::string& problem) {
        // Whoever wants to mend the store by hand finds it unlocked meanwhile.
        writer_.reset();
        if (reporter_) {
            reporter_->update_problem(problem);
        }
        ++metrics_.failures;
        metrics_.registry_up = false;
        write_metrics();
        if (problem != problem_) {
            log_.failed(problem);
            problem_ = problem;
        }
        // It does what can be done: what waits for it need not wait for the registry.
        service_.ready();
        service_.status("Trying again: " + problem);
        service_.alive();
        const auto took = std::chrono::ceil<std::chrono::milliseconds>(
            begun_ ? Clock::now() - *begun_ : Clock::duration::zero());
        rest(std::max(retry_, std::min(took, longest_rest)));
        retry_ = std::min(retry_ * 2, last_retry);
    }

    void rest(std::chrono::milliseconds time) {
        const auto end = Clock::now() + time;
        for (auto left = time; left.count() > 0;
             left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now())) {
            service_.alive();
            if (stopped(std::min(left, service_.interval().value_or(longest_wait)))) {
                return;
            }
        }
    }

    // Waits that long for a signal to stop.
    bool stopped(std::chrono::milliseconds timeout) const {
        pollfd file{stop_.get(), POLLIN, 0};
        return poll(&file, 1, static_cast<int>(timeout.count())) > 0;
    }

    registry::Source& source_;
    store_writer::StoreOptions options_;
    std::chrono::seconds heartbeat_;
    std::string host_;
    bool show_progress_;
    WatchLog log_;
    std::unique_ptr<Reporter> reporter_;
    std::unique_ptr<UsageCollector> collector_;
    registry::HostReport reported_;  // last
    Metrics metrics_;
    MetricsFile metrics_file_;
    cli::Service service_;
    bool unread_ = true;  // the store that is at the path
    Scrub scrub_;
    base::FileDescriptor stop_;
    base::FileDescriptor read_all_;
    bool registry_lost_ = false;
    std::unique_ptr<store_writer::StoreWriter> writer_;
    bool started_ = false;
    bool reopened_ = false;
    std::string problem_;
    std::optional<Clock::time_point> begun_;  // of a step under way
    Clock::time_point looked_{};
    Clock::time_point next_beat_{};
    Clock::time_point next_review_{};
    std::chrono::milliseconds retry_ = first_retry;
};

}  // namespace

bool watch(registry::Source& source, const store_writer::StoreOptions& options,
           const WatchOptions& how) {
    return Watch(source, options, how).run();
}

}  // namespace token_auth::tokensync
