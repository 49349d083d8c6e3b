#include "tokensync/restart.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

extern char** environ;

namespace token_auth::tokensync {
namespace {

char mark[] = "TOKENSYNC_RESTARTED=1";
char** arguments_again = nullptr;
char** environment_again = nullptr;

// On a stack of its own: the fault may be that the other one is full.
alignas(16) std::array<char, 64 * 1024> stack;

void restart(int signal_number) {
    static constexpr char text[] =
        "tokensync: a fault while it worked on the store, which may be damaged; beginning again "
        "with a new store\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    execve("/proc/self/exe", arguments_again, environment_again);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

}  // namespace

bool is_restarted() {
    return std::getenv("TOKENSYNC_RESTARTED") != nullptr;
}

void restart_on_fault(char** arguments) {
    if (is_restarted()) {
        return;
    }
    static std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        environment.push_back(*variable);
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
