// Calls into LMDB that come back even where the data file is damaged.
//
// LMDB answers a damaged page with abort() (mdb_assert), with a jump into the void (SIGSEGV), and a
// file that became shorter with SIGBUS. Each of them would end the process, and each process that
// follows it. Here they end the call.
#pragma once

#include <lmdb.h>

#include <csetjmp>

namespace token_auth {

// While at least one is alive, SIGBUS and SIGSEGV of guarded calls are caught; others, those of
// other threads among them, go where they went before. For processes in which one thread alone
// reads stores: the one that starts the first.
class Rescue {
  public:
    Rescue() noexcept = default;
    ~Rescue() { stop(); }
    Rescue(const Rescue&) = delete;
    Rescue& operator=(const Rescue&) = delete;

    // Also takes over failed assertions of the environment.
    void start(MDB_env* env) noexcept;
    void stop() noexcept;

  private:
    bool started_ = false;
};

// Where a fault leads to just now; null where no guarded call is under way.
extern sigjmp_buf* volatile rescue_point;

// guarded() where no call is under way. Of its own, since no compiler inlines what calls
// sigsetjmp().
template <typename Call>
int guard(Call& call) noexcept {
    sigjmp_buf here;
    if (sigsetjmp(here, 0) != 0) {
        rescue_point = nullptr;
        return MDB_CORRUPTED;
    }
    rescue_point = &here;
    const int error = call();
    rescue_point = nullptr;
    return error;
}

// What the call returns, or MDB_CORRUPTED where it did not come back. `call` is called once, must
// do no more than read stores, into memory that is at hand, and have no destructors to run;
// afterwards the environment may only be closed. A call within another one leaves it to that one to
// come back.
template <typename Call>
int guarded(Call&& call) noexcept {
    return rescue_point != nullptr ? call() : guard(call);
}

}  // namespace token_auth
