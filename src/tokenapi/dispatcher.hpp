// The threads that answer requests: workers, each with a registry connection, and a few that hash
// passwords.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tokenapi/registry_connection.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

class Metrics;

// Runs a handler or what follows it; whatever it throws becomes the answer.
Step run_step(const std::function<Step(Call&)>& step, Call& call) noexcept;

class Dispatcher {
  public:
    // Called with the answer, once for each call, in any thread; must not throw.
    using Done = std::function<void(Response)>;

    // The settings, if the operations need any, outlive it.
    Dispatcher(const std::string& registry_url, Metrics& metrics,
               const Settings* settings = nullptr);
    // Finishes what was given to it.
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    void submit(std::shared_ptr<Call> call, Done done);
    // Undoes it in a worker: until the registry answers, or this ends, which tells the log of it.
    void undo(Undoing undoing);

    // Answers those that have waited for a worker for too long, and tries again what is to be
    // undone. To be called a few times a second.
    void expire();

  private:
    using Clock = std::chrono::steady_clock;

    struct Job {
        std::shared_ptr<Call> call;  // null: `undoing` is what there is to do
        Done done;
        std::function<Step(Call&)> step;
        Undoing undoing;
        bool is_new = true;  // has not run yet: may be refused
        Clock::time_point since = Clock::now();
    };
    struct Hash {
        Job job;  // what follows
        std::function<void(Call&)> work;
    };

    void work();
    void hash();
    void push(Job job);
    void take_on(Job& job, RegistryConnection& registry);
    void try_to_undo(Undoing undoing, RegistryConnection& registry);
    void undo_what_is_left();
    // False if there is too much to do.
    bool push_hash(Job& job, Hashing& hashing);

    std::string registry_url_;
    Metrics& metrics_;
    const Settings* settings_;
    RegistryHealth health_;
    std::mutex mutex_;
    std::condition_variable work_came_;
    std::condition_variable hash_came_;
    std::deque<Job> jobs_;
    std::deque<Hash> hashes_;
    std::vector<Undoing> undone_;  // what the registry did not take
    unsigned busy_ = 0;            // threads that may still give work to others
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace token_auth::tokenapi
