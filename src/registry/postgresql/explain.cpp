#include "registry/postgresql/explain.hpp"

#include <fmt/format.h>

#include "base/redact.hpp"

namespace token_auth::registry::postgresql {
namespace {

constexpr const char* privilege_remedy =
    "connect as a role that is in token_auth_writer (for tokenctl), in token_auth_api (for "
    "tokenapi), or in token_auth_reader and token_auth_reporter (for tokensync), or as the "
    "registry's owner";

std::string first_line(std::string_view text) {
    std::string_view line = text.substr(0, text.find('\n'));
    const std::string_view severity = "ERROR:  ";
    if (const std::size_t found = line.find(severity); found != line.npos) {
        line.remove_prefix(found + severity.size());
    }
    // It repeats names of the URL.
    return base::redacted(line);
}

std::string remedy(std::string_view sqlstate, std::string_view message) {
    const std::string_view group = sqlstate.substr(0, 2);
    if (sqlstate == "42P01" || sqlstate == "3F000") {
        return "this database holds no token-auth registry; make one by `tokenctl init`, or "
               "name another database by --registry or TOKEN_AUTH_REGISTRY";
    }
    if (sqlstate == "55P03") {
        return fmt::format(
            "another program has been using it for {} seconds; try again when it is done",
            lock_seconds);
    }
    if (sqlstate == "40001" && message.find("recovery") != message.npos) {
        return fmt::format(
            "{}; on a replica that tokensync reads, set hot_standby_feedback, or "
            "raise max_standby_streaming_delay",
            first_line(message));
    }
    if (sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "23503" || sqlstate == "23505") {
        return "another program changed the same things at the same time; nothing was "
               "changed, try again";
    }
    if (sqlstate == "42501" && message.find("permission denied for database") != message.npos) {
        return fmt::format("{}; connect as its owner, or grant CREATE on it", first_line(message));
    }
    if (sqlstate == "42501" && message.find("must be owner of") != message.npos) {
        return fmt::format("{}; connect as the registry's owner", first_line(message));
    }
    if (sqlstate == "42501") {
        return fmt::format("{}; {}", first_line(message), privilege_remedy);
    }
    // 0A000: what a replica answers to READ WRITE
    if (sqlstate == "25006" || sqlstate == "0A000") {
        return "this server cannot be written (a replica, or read-only); name the primary one "
               "by --registry, for what tokensync reports by --report-to";
    }
    if (sqlstate == "57014") {
        return fmt::format("{}; try again, or raise that limit for this role", first_line(message));
    }
    if (sqlstate == "53100") {
        return "its server's disk is full; make room there and try again";
    }
    if (sqlstate.empty() || group == "08" || group == "57") {
        return fmt::format(
            "cannot be reached: {}; check the URL, that the server runs, has this database "
            "(createdb makes it) and lets this account in, and the password file (this account's "
            "own, mode 0600)",
            first_line(message));
    }
    return fmt::format("PostgreSQL answered: {} (SQLSTATE {})", first_line(message), sqlstate);
}

}  // namespace

SqlError explain(const Location& location, std::string_view sqlstate, std::string_view message) {
    return {fmt::format("registry {}: {}", location.shown, remedy(sqlstate, message)),
            std::string(sqlstate)};
}

}  // namespace token_auth::registry::postgresql
