// What all commands share: the options before them, and how they report.
#pragma once

#include <string>
#include <vector>

#include "cli/table.hpp"
#include "registry/registry.hpp"

namespace token_auth::tokenctl {

// The person who runs this: SUDO_USER, or the login name.
std::string login_name();

struct Context {
    std::string registry_url;
    std::string login = login_name();  // asked at once: become_owner() changes it
    std::string actor;
    bool json = false;
    std::string usage_db = "/var/lib/tokensync/usage.db";  // of an SQLite registry's tokensync
    std::string wait;                                      // --wait; empty: not

    // Who and when, for the audit trail; base::Error (invalid argument) for an unfit --actor.
    registry::Author author() const;

    // For writing, the hosts are told that --wait will wait for them.
    registry::Registry open(registry::Access access) const;

    // base::Error (invalid argument) if --wait is given, to a command that hosts apply nothing of.
    void refuse_wait() const;
};

// One thing that a command did: its JSON object, and the line for people.
struct Report {
    std::string json;
    std::string line;
};

// To be called once the change is committed: the objects as a JSON array to standard output, or
// the lines to standard error.
void report(const Context& context, const std::vector<Report>& reports);
// The same for one object, which is not put into an array.
void report(const Context& context, const Report& done);

// Reports what a command changed, and waits for the hosts if --wait says so: the exit status.
int finish(const Context& context, const std::vector<Report>& reports);
int finish(const Context& context, const Report& done);

// The table, or the JSON objects as an array.
void print_list(const Context& context, const cli::Table& table,
                const std::vector<std::string>& objects);

}  // namespace token_auth::tokenctl
