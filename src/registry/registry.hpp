// A registry as tokenctl uses it: transactions of reads (reader.hpp) and audited changes
// (writer.hpp) over one connection (connection.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "registry/connection.hpp"
#include "registry/reader.hpp"
#include "registry/writer.hpp"

namespace token_auth::registry {

class Registry {
  public:
    // Errors as Connection's.
    Registry(const std::string& url, Access access) : connection_(parse_location(url), access) {}

    // One snapshot.
    void read(const std::function<void(Reader&)>& body);

    // All or nothing; `body` sees no other writer's changes meanwhile.
    void write(const Author& author, const std::function<void(Writer&)>& body);

    const Location& location() const { return connection_.location(); }

  private:
    Connection connection_;
};

}  // namespace token_auth::registry
