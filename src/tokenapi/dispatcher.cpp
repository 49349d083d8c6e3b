#include "tokenapi/dispatcher.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/redact.hpp"
#include "cli/output.hpp"
#include "tokenapi/limits.hpp"
#include "tokenapi/metrics.hpp"
#include "tokenapi/problem.hpp"

namespace token_auth::tokenapi {
namespace {

void log(std::string_view what) {
    cli::note(fmt::format("tokenapi: {}", base::redacted(what)));
}

Response answer_of(ProblemCode code) {
    return Problem(code).response();
}

}  // namespace

Step run_step(const std::function<Step(Call&)>& step, Call& call) noexcept {
    try {
        return step(call);
    } catch (const Problem& problem) {
        return problem.response();
    } catch (const std::exception& error) {
        log(error.what());
        return answer_of(ProblemCode::internal_error);
    }
}

Dispatcher::Dispatcher(const std::string& registry_url, Metrics& metrics, const Settings* settings)
    : registry_url_(registry_url), metrics_(metrics), settings_(settings), health_(metrics) {
    for (unsigned i = 0; i < limits::workers; ++i) {
        threads_.emplace_back([this] { work(); });
    }
    for (unsigned i = 0; i < limits::hash_threads; ++i) {
        threads_.emplace_back([this] { hash(); });
    }
}

Dispatcher::~Dispatcher() {
    undo_what_is_left();
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_came_.notify_all();
    hash_came_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    for (const Undoing& each : undone_) {
        log(
            fmt::format("token {} could not be revoked, though nobody got the answer with it: run "
                        "`tokenctl revoke {}`",
                        each.token, each.token));
    }
}

void Dispatcher::submit(std::shared_ptr<Call> call, Done done) {
    Handler handler = call->route->handler;
    push({std::move(call), std::move(done), handler, {}});
}

void Dispatcher::undo(Undoing undoing) {
    push({nullptr, {}, {}, std::move(undoing)});
}

void Dispatcher::undo_what_is_left() {
    std::vector<Undoing> left;
    {
        const std::lock_guard lock(mutex_);
        left.swap(undone_);
    }
    for (Undoing& each : left) {
        undo(std::move(each));
    }
}

void Dispatcher::push(Job job) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        metrics_.waiting = static_cast<unsigned>(jobs_.size());
    }
    work_came_.notify_one();
}

void Dispatcher::expire() {
    std::vector<Job> late;
    {
        const std::lock_guard lock(mutex_);
        const auto limit = Clock::now() - limits::queue_time;
        const auto is_late = [&](const Job& job) {
            return job.call && job.is_new && job.since < limit;
        };
        const auto from = std::stable_partition(jobs_.begin(), jobs_.end(),
                                                [&](const Job& job) { return !is_late(job); });
        late.assign(std::make_move_iterator(from), std::make_move_iterator(jobs_.end()));
        jobs_.erase(from, jobs_.end());
        metrics_.waiting = static_cast<unsigned>(jobs_.size());
    }
    for (Job& job : late) {
        job.done(answer_of(ProblemCode::overloaded));
    }
    undo_what_is_left();
}

void Dispatcher::work() {
    RegistryConnection registry(registry_url_, health_);
    std::unique_lock lock(mutex_);
    for (;;) {
        // One that hashes or works may have more to do for this one.
        work_came_.wait(lock, [this] {
            return !jobs_.empty() || (stopping_ && busy_ == 0 && hashes_.empty());
        });
        if (jobs_.empty()) {
            return;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        metrics_.waiting = static_cast<unsigned>(jobs_.size());
        metrics_.running = ++busy_;
        lock.unlock();
        take_on(job, registry);
        job = Job();
        lock.lock();
        metrics_.running = --busy_;
        if (stopping_) {
            work_came_.notify_all();
            hash_came_.notify_all();
        }
    }
}

void Dispatcher::take_on(Job& job, RegistryConnection& registry) {
    if (!job.call) {
        try_to_undo(std::move(job.undoing), registry);
        return;
    }
    Call& call = *job.call;
    call.registry = &registry;
    call.settings = settings_;
    Step step = run_step(job.step, call);
    if (Hashing* hashing = std::get_if<Hashing>(&step)) {
        if (push_hash(job, *hashing)) {
            return;
        }
        step = run_step(
            [&](Call& refused) -> Step {
                if (hashing->if_refused) {
                    hashing->if_refused(refused);
                }
                throw Problem(ProblemCode::overloaded);
            },
            call);
    }
    call.registry = nullptr;
    job.done(std::get<Response>(std::move(step)));
}

void Dispatcher::try_to_undo(Undoing undoing, RegistryConnection& registry) {
    try {
        undoing.run(registry);
    } catch (const Problem&) {
        const std::lock_guard lock(mutex_);
        undone_.push_back(std::move(undoing));
    } catch (const std::exception& error) {
        log(fmt::format("token {} could not be revoked, though nobody got the answer with it: {}",
                        undoing.token, error.what()));
    }
}

bool Dispatcher::push_hash(Job& job, Hashing& hashing) {
    const std::lock_guard lock(mutex_);
    if (hashes_.size() >= limits::hashes_waiting) {
        return false;
    }
    job.call->registry = nullptr;
    job.step = std::move(hashing.then);
    job.is_new = false;
    hashes_.push_back({std::move(job), std::move(hashing.work)});
    metrics_.hashes_waiting = static_cast<unsigned>(hashes_.size());
    hash_came_.notify_one();
    return true;
}

void Dispatcher::hash() {
    std::unique_lock lock(mutex_);
    for (;;) {
        hash_came_.wait(lock, [this] {
            return !hashes_.empty() || (stopping_ && busy_ == 0 && jobs_.empty());
        });
        if (hashes_.empty()) {
            return;
        }
        Hash next = std::move(hashes_.front());
        hashes_.pop_front();
        metrics_.hashes_waiting = static_cast<unsigned>(hashes_.size());
        ++metrics_.hashes_running;
        metrics_.running = ++busy_;
        lock.unlock();
        const auto work = [&next](Call& call) -> Step {
            next.work(call);
            return Response();
        };
        Step step = run_step(work, *next.job.call);
        const bool failed = std::get<Response>(step).status >= 400;
        if (failed) {
            next.job.done(std::get<Response>(std::move(step)));
        } else {
            push(std::move(next.job));
        }
        next = Hash();
        lock.lock();
        --metrics_.hashes_running;
        metrics_.running = --busy_;
        if (stopping_) {
            work_came_.notify_all();
            hash_came_.notify_all();
        }
    }
}

}  // namespace token_auth::tokenapi
