// Checking a password: the try is counted and committed, then the password is hashed in a thread
// for that, then what follows is written.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "registry/throttle.hpp"
#include "registry/writer.hpp"
#include "tokenapi/credentials.hpp"
#include "tokenapi/problem.hpp"
#include "tokenapi/router.hpp"

namespace token_auth::tokenapi {

struct PasswordCheck {
    NameAndPassword given{};
    const char* via = "session";  // of the audit trail
    registry::Try tried{};
    std::string hash{};  // of the person, or of nobody
    bool is_right = false;
};

// The fields `username` and `password` of a body. Throws Problem.
NameAndPassword parse_credentials(const Call& call);

// In a transaction: counts the try and looks the hash up. Problem (throttled).
void begin_check(registry::Writer& writer, const Call& call, PasswordCheck& check);
// In a thread for hashes.
void compare(PasswordCheck& check);
// In another transaction: whether the person may go on, which nobody else can tell apart: they are
// there, not disabled, and the password is theirs still. Writes what follows from it.
bool finish_check(registry::Writer& writer, const Call& call, const PasswordCheck& check);
// Instead of the latter two, if there is too much to do.
void drop_check(Call& call, const PasswordCheck& check);

// All of it. `succeeded` runs in the transaction of finish_check(); failure is Problem
// (login_failed), to which `challenge` adds its fields.
using Succeeded = std::function<Response(Call&, registry::Writer&, const registry::User&)>;
using AddChallenge = void (*)(Problem&);
Step check_password(Call& call, NameAndPassword given, const char* via, Succeeded succeeded,
                    AddChallenge challenge);

// Removes what counts or holds no more, some minutes after the last time.
void clean_up(Call& call);

}  // namespace token_auth::tokenapi
