// Faults of guarded calls end the call; all others go where they went before.
#include <lmdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/rescue.hpp"

namespace token_auth::unit {
namespace {

// A real fault, which happens again where a handler only returns from it.
int fault() {
    void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(page) = 1;
    return MDB_SUCCESS;
}

constexpr int other_handler_ran = 42;

void on_signal_of_others(int) {
    _exit(other_handler_ran);
}

// Runs in a child in which SIGSEGV has a handler of its own before a rescue is started.
std::string with_rescue(const std::function<std::string()>& work) {
    return in_child([&] {
        std::signal(SIGSEGV, on_signal_of_others);
        MDB_env* env = nullptr;
        mdb_env_create(&env);
        Rescue rescue;
        rescue.start(env);
        std::string text = work();
        rescue.stop();
        mdb_env_close(env);
        return text;
    });
}

void fault_of_a_guarded_call() {
    const std::string ended = with_rescue([] {
        const int error = guarded(fault);
        return std::string(error == MDB_CORRUPTED ? "came back" : "went on");
    });
    check_equal(ended, "came back", "a guarded call that faults");
}

// The fault is the outer call's, which is the only one that comes back; then nothing is guarded.
void fault_of_a_call_within_another() {
    const std::string ended = with_rescue([] {
        bool inner_came_back = false;
        const int error = guarded([&] {
            guarded([] { return MDB_SUCCESS; });
            const int inner = guarded(fault);
            inner_came_back = true;
            return inner;
        });
        return std::string(error != MDB_CORRUPTED    ? "went on"
                           : inner_came_back         ? "the inner call came back"
                           : rescue_point != nullptr ? "still guarded"
                                                     : "came back");
    });
    check_equal(ended, "came back", "a call within a guarded call that faults");
}

void fault_outside_of_guarded_calls() {
    const std::string ended = with_rescue([] {
        guarded([] { return MDB_SUCCESS; });
        fault();
        return std::string("went on");
    });
    check_equal(ended, "ended with status 42", "a fault outside of guarded calls");
}

// As a thread of nginx's pool that faults while the worker looks a token up.
void fault_of_another_thread() {
    const std::string ended = with_rescue([] {
        std::atomic<bool> inside = false;
        std::thread other([&] {
            while (!inside) {
                std::this_thread::yield();
            }
            fault();
        });
        const int error = guarded([&] {
            inside = true;
            std::this_thread::sleep_for(std::chrono::seconds(5));
            return MDB_SUCCESS;
        });
        other.detach();
        return std::string(error == MDB_SUCCESS ? "nothing happened" : "jumped from the other one");
    });
    check_equal(ended, "ended with status 42", "a fault of another thread");
}

void handler_after_the_last() {
    const std::string ended = in_child([] {
        std::signal(SIGSEGV, on_signal_of_others);
        MDB_env* env = nullptr;
        mdb_env_create(&env);
        {
            Rescue first;
            Rescue second;
            first.start(env);
            second.start(env);
            first.stop();
        }
        mdb_env_close(env);
        struct sigaction now {};
        sigaction(SIGSEGV, nullptr, &now);
        return std::string(now.sa_handler == on_signal_of_others ? "put back" : "lost");
    });
    check_equal(ended, "put back", "the handler of before");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(fault_of_a_guarded_call),        UNIT_TEST(fault_of_a_call_within_another),
        UNIT_TEST(fault_outside_of_guarded_calls), UNIT_TEST(fault_of_another_thread),
        UNIT_TEST(handler_after_the_last),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
