// A worker's connection to the registry: opened when it is first needed, and again after it was
// lost.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "registry/registry.hpp"
#include "registry/usage.hpp"

namespace token_auth::tokenapi {

class Metrics;

// What the workers know of the registry together, so that one that is gone is not asked by each
// request anew, and the log tells of it once.
class RegistryHealth {
  public:
    explicit RegistryHealth(Metrics& metrics) : metrics_(metrics) {}

    // Whether it was found gone just now, so that asking again is of no use yet.
    bool rests() const;
    void failed(const std::string& problem);
    void answered();
    // Of tokens' last use; empty: it can be read.
    void uses_failed(const std::string& problem);
    void opened();
    void closed();

  private:
    Metrics& metrics_;
    mutable std::mutex mutex_;
    std::string problem_;  // empty: it is there
    std::string uses_problem_;
    std::chrono::steady_clock::time_point retry_{};
};

// For one thread at a time.
class RegistryConnection {
  public:
    RegistryConnection(std::string url, RegistryHealth& health)
        : url_(std::move(url)), health_(health) {}
    ~RegistryConnection() { close(); }
    RegistryConnection(const RegistryConnection&) = delete;
    RegistryConnection& operator=(const RegistryConnection&) = delete;

    // As Registry's. A registry that cannot be asked is Problem (registry_unavailable); the text
    // of what failed goes to the log. If the connection turns out to be lost before `body` began,
    // it is made anew once.
    void read(const std::function<void(registry::Reader&)>& body);
    void write(const registry::Author& author, const std::function<void(registry::Writer&)>& body);

    // When those tokens were used last, as far as anybody tells. In SQLite it stands in `usage_db`,
    // which may be missing; what keeps it from being read goes to the log.
    registry::TokenUses uses(registry::Reader& reader, const std::string& usage_db,
                             const std::vector<std::string>& ids);
    // Whether any host tells of it.
    bool uses_are_told(registry::Reader& reader, const std::string& usage_db);

  private:
    void ask_reports(registry::Reader& reader, const std::string& usage_db,
                     const std::function<void(registry::Session&)>& question);
    void attempt(const std::function<void(registry::Registry&, bool& began)>& transaction);
    registry::Registry& open();
    void close();

    std::string url_;
    RegistryHealth& health_;
    std::optional<registry::Registry> registry_;
    std::unique_ptr<registry::Session> reports_;  // SQLite's
};

}  // namespace token_auth::tokenapi
