#include "tokensync/restart.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

extern char** environ;

namespace token_auth::tokensync {
namespace {

constexpr const char* variable_name = "TOKENSYNC_FAULTS";
constexpr int faults_max = 9;  // one digit
constexpr time_t soon = 60;    // seconds
char mark[] = "TOKENSYNC_FAULTS=0";
constexpr std::size_t digit_at = sizeof(mark) - 2;
time_t begun = 0;
int before = 0;

char** arguments_again = nullptr;
char** environment_again = nullptr;

// On a stack of its own: the fault may be that the other one is full.
alignas(16) std::array<char, 64 * 1024> stack;

time_t seconds_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

void tell() {
    static constexpr char text[] =
        "tokensync: a fault while it worked on the store, which may be damaged; beginning again "
        "with a new store\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
}

void restart(int signal_number) {
    tell();
    const int faults = seconds_now() - begun < soon ? std::min(before + 1, faults_max) : 1;
    mark[digit_at] = static_cast<char>('0' + faults);
    execve("/proc/self/exe", arguments_again, environment_again);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

}  // namespace

int faults_before() {
    const char* const faults = std::getenv(variable_name);
    return faults == nullptr ? 0 : std::clamp(std::atoi(faults), 0, faults_max);
}

bool note_fault(bool service) {
    const int faults = faults_before();
    if (faults != 0 && !service) {
        return false;
    }
    tell();
    mark[digit_at] = static_cast<char>('0' + std::min(faults + 1, faults_max));
    return putenv(mark) == 0;
}

void forget_faults() {
    unsetenv(variable_name);
}

void restart_on_fault(char** arguments, bool service) {
    before = faults_before();
    if (before != 0 && !service) {
        return;
    }
    begun = seconds_now();
    static std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (std::strncmp(*variable, mark, digit_at) != 0) {
            environment.push_back(*variable);
        }
    }
    environment.push_back(mark);
    environment.push_back(nullptr);
    arguments_again = arguments;
    environment_again = environment.data();

    stack_t other{};
    other.ss_sp = stack.data();
    other.ss_size = stack.size();
    sigaltstack(&other, nullptr);
    struct sigaction action {};
    action.sa_handler = restart;
    action.sa_flags =
        SA_ONSTACK | SA_NODEFER | SA_RESETHAND;  // the signal is not blocked after execve
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) {
        sigaction(number, &action, nullptr);
    }
}

}  // namespace token_auth::tokensync
