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
    // Runs it in a worker; whatever it throws is logged.
    void run(std::function<void(RegistryConnection&)> job);

    // Answers those that have waited for a worker for too long. To be called a few times a second.
    void expire();

  private:
    using Clock = std::chrono::steady_clock;

    struct Job {
        std::shared_ptr<Call> call;  // null: `other` is what there is to do
        Done done;
        std::function<Step(Call&)> step;
        std::function<void(RegistryConnection&)> other;
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
    unsigned busy_ = 0;  // threads that may still give work to others
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace token_auth::tokenapi
