// A process that keeps root's rights, beside one that gave them up.
#pragma once

#include <functional>

#include "store_writer/directory.hpp"

namespace token_auth::tokensync {

struct Supervision {
    char** arguments = nullptr;      // of main()
    bool service = false;            // it is to go on after any number of faults
    std::function<void()> registry;  // opens the registry and closes it again; throws
};

// Runs `work` so that a fault in liblmdb, which a damaged store causes, does not end it: see
// restart.hpp. If root runs this for a store of another account, `work` runs in a child process,
// which takes on that account for good. This one touches nothing of the store, and makes another
// child after a fault, or when the registry must be opened with root's rights again.
//
// Source: fork(2), prctl(2), sigwaitinfo(2).
int supervise(const store_writer::StoreOptions& options, const Supervision& how,
              const std::function<int()>& work);

// In such a child: its exit status if the registry cannot be opened with its own rights.
inline constexpr int exit_registry_lost = 75;
bool is_supervised();

// In such a child, once it has its account: it ends if this process's parent does.
void end_with_supervisor();

}  // namespace token_auth::tokensync
