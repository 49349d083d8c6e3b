// A registry as tokenctl uses it: transactions of reads (reader.hpp) and audited changes
// (writer.hpp) over one session (session.hpp).
#pragma once

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
    Registry(const std::string& url, Access access)
        : session_(open_session(parse_location(url), access)) {}

    // One snapshot.
    void read(const std::function<void(Reader&)>& body);

    // All or nothing; `body` sees no other writer's changes meanwhile.
    void write(const Author& author, const std::function<void(Writer&)>& body);

    // Lets the hosts' tokensync know that for so many seconds somebody waits for each commit: they
    // report at once then (hosts.hpp).
    void announce_wait(std::int64_t seconds);

    const Location& location() const { return session_->location(); }

  private:
    std::unique_ptr<Session> session_;
};

}  // namespace token_auth::registry
