// A registry as tokenctl uses it: transactions of reads (reader.hpp) and audited changes
// (writer.hpp) over one session (session.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "registry/reader.hpp"
#include "registry/session.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

class Registry {
  public:
    // Errors as open_session()'s.
    Registry(const std::string& url, Access access,
             std::chrono::milliseconds patience = long_patience)
        : session_(open_session(parse_location(url), access, schema_version, patience)) {}

    // One snapshot.
    void read(const std::function<void(Reader&)>& body);

    // All or nothing, in one snapshot; `body` may run more than once (Session::write).
    void write(const Author& author, const std::function<void(Writer&)>& body);
    // The same while nobody else writes; once.
    void write_alone(const Author& author, const std::function<void(Writer&)>& body);

    // Lets the hosts' tokensync know that for so many seconds somebody waits for each commit: they
    // report at once then (hosts.hpp).
    void announce_wait(std::int64_t seconds);

    const Location& location() const { return session_->location(); }
    // Session::is_answered().
    bool is_answered() const { return session_->is_answered(); }

  private:
    void write_in(const Author& author, const std::function<void(Writer&)>& body);

    std::unique_ptr<Session> session_;
};

}  // namespace token_auth::registry
