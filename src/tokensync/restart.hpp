// A fault in liblmdb, which a damaged store causes, does not end a sync: tokensync begins again,
// with a new store.
#pragma once

namespace token_auth::tokensync {

// From here on SIGSEGV, SIGBUS and SIGABRT start the program again with the arguments of main().
// The lock file tells the new one that somebody was at work. A service goes on so after any number
// of faults, another command after one.
//
// Source: execve(2), signal-safety(7).
void restart_on_fault(char** arguments, bool service);

// How many faults came before this start, one soon after the other.
int faults_before();

// For a process that starts another one after a fault: tells that one, and standard error. False
// if there was a fault before and it is no service.
bool note_fault(bool service);
void forget_faults();

}  // namespace token_auth::tokensync
