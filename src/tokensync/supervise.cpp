#include "tokensync/supervise.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/error.hpp"
#include "tokensync/account.hpp"
#include "tokensync/restart.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::chrono::milliseconds first_rest{100};
constexpr std::chrono::milliseconds last_rest{5000};

pid_t supervisor = 0;  // in a child

class Supervisor {
  public:
    explicit Supervisor(const Supervision& how) : how_(how) {
        sigemptyset(&signals_);
        for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
            sigaddset(&signals_, number);
        }
        sigprocmask(SIG_BLOCK, &signals_, &before_);
        signal(SIGCHLD, SIG_DFL);  // if ignored, which exec() passes on, no child is waited for
    }

    // The exit status; in a child, that of the work.
    int run(const std::function<int()>& work) {
        const pid_t self = getpid();
        for (;;) {
            child_ = fork();
            if (child_ < 0) {
                throw base::Error(fmt::format("cannot make a process: {}", std::strerror(errno)));
            }
            if (child_ == 0) {
                become_child(self);
                return work();
            }
            const int status = wait_for_child();
            if (stopped_ || !prepare_another(status)) {
                return exit_status(status);
            }
        }
    }

  private:
    void become_child(pid_t parent) const {
        supervisor = parent;
        // systemd's watchdog is for the process that does the work.
        if (std::getenv("WATCHDOG_PID") != nullptr) {
            setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
        }
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

    int wait_for_child() {
        for (;;) {
            int status = 0;
            if (waitpid(child_, &status, WNOHANG) == child_) {
                return status;
            }
            const int number = sigwaitinfo(&signals_, nullptr);
            if (number > 0 && number != SIGCHLD) {
                stopped_ = stopped_ || number != SIGHUP;
                kill(child_, number);
            }
        }
    }

    bool prepare_another(int status) {
        const bool registry_lost =
            how_.service && WIFEXITED(status) && WEXITSTATUS(status) == exit_registry_lost;
        const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        if (registry_lost) {
            forget_faults();
            return wait_for_registry();
        }
        return (number == SIGSEGV || number == SIGBUS || number == SIGABRT) &&
               note_fault(how_.service) && rest(std::chrono::milliseconds(0));
    }

    // False if it is to stop.
    bool wait_for_registry() {
        for (auto time = std::chrono::milliseconds(0); rest(time);
             time = std::clamp(time * 2, first_rest, last_rest)) {
            try {
                how_.registry();
                return true;
            } catch (const std::runtime_error&) {
                sd_notify(0, "WATCHDOG=1");  // the child has said what is wrong
            }
        }
        return false;
    }

    bool rest(std::chrono::milliseconds time) {
        const timespec timeout{time.count() / 1000, time.count() % 1000 * 1'000'000};
        const int number = sigtimedwait(&signals_, nullptr, &timeout);
        stopped_ = stopped_ || number == SIGTERM || number == SIGINT || number == SIGQUIT;
        return !stopped_;
    }

    static int exit_status(int status) {
        if (WIFEXITED(status)) {
            // Stopped while it waited for the registry, which is no failure.
            return WEXITSTATUS(status) == exit_registry_lost ? 0 : WEXITSTATUS(status);
        }
        signal(WTERMSIG(status), SIG_DFL);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, nullptr);
        raise(WTERMSIG(status));
        return 128 + WTERMSIG(status);
    }

    const Supervision& how_;
    sigset_t signals_{};
    sigset_t before_{};
    pid_t child_ = 0;
    bool stopped_ = false;
};

}  // namespace

int supervise(const store_writer::StoreOptions& options, const Supervision& how,
              const std::function<int()>& work) {
    if (geteuid() != 0 || store_owner(options) == 0) {
        restart_on_fault(how.arguments, how.service);
        return work();
    }
    return Supervisor(how).run(work);
}

bool is_supervised() {
    return supervisor != 0;
}

void end_with_supervisor() {
    if (supervisor != 0 && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != supervisor)) {
        raise(SIGTERM);
    }
}

}  // namespace token_auth::tokensync
