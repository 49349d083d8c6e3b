// A fault in liblmdb, which a damaged store causes, does not end a sync: tokensync begins again.
#pragma once

namespace token_auth::tokensync {

// From here on SIGSEGV, SIGBUS and SIGABRT start the program again, once, with the arguments of
// main(). The lock file tells the new one that somebody was at work.
//
// Source: execve(2), signal-safety(7).
void restart_on_fault(char** arguments);

// Whether this is such a second time.
bool is_restarted();

}  // namespace token_auth::tokensync
