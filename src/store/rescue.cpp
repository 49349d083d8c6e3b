#include "token_auth/rescue.hpp"

#include <pthread.h>

#include <csignal>
#include <cstddef>

namespace token_auth {

sigjmp_buf* volatile rescue_point = nullptr;

namespace {

struct Caught {
    int number;
    struct sigaction before;
};

Caught caught[] = {{SIGBUS, {}}, {SIGSEGV, {}}};
std::size_t started = 0;
pthread_t reader;  // the thread that reads stores, where any is started

void on_assertion(MDB_env* /*env*/, const char* /*text*/) noexcept {
    if (rescue_point != nullptr) {
        siglongjmp(*rescue_point, 1);
    }
}

void on_signal(int number) noexcept {
    // Another thread (nginx's "aio threads") faults for reasons of its own, and must not jump into
    // the stack of this one.
    if (rescue_point != nullptr && pthread_equal(pthread_self(), reader) != 0) {
        siglongjmp(*rescue_point, 1);
    }
    // Not ours: what faulted does so again, and finds what was there before.
    for (const Caught& each : caught) {
        if (each.number == number) {
            sigaction(number, &each.before, nullptr);
        }
    }
}

}  // namespace

void Rescue::start(MDB_env* env) noexcept {
    mdb_env_set_assert(env, on_assertion);
    if (started_) {
        return;
    }
    started_ = true;
    if (started++ != 0) {
        return;
    }
    reader = pthread_self();
    for (Caught& each : caught) {
        struct sigaction action {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_NODEFER;  // it is left by a jump that restores no mask
        sigaction(each.number, &action, &each.before);
    }
}

void Rescue::stop() noexcept {
    if (!started_) {
        return;
    }
    started_ = false;
    if (--started != 0) {
        return;
    }
    for (const Caught& each : caught) {
        sigaction(each.number, &each.before, nullptr);
    }
}

}  // namespace token_auth
