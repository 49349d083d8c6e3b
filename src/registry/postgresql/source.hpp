// A registry in a PostgreSQL database as a source for the store; see position.hpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/session.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// Connects when it is first needed, and again after an error. Changes are announced by NOTIFY
// if that reaches it; if not (a replica, a pooler), they are looked for often.
class PostgresqlSource final : public Source {
  public:
    explicit PostgresqlSource(Location location);
    ~PostgresqlSource() override;

    std::string identity() override;
    std::uint64_t token_count() override;
    std::optional<std::string> changes(const std::string& position, Sink& sink) override;
    std::string all(Sink& sink) override;
    bool no_change_between(const std::string& position, const std::string& latest) override;
    std::vector<Fate> fates(const std::vector<HeldToken>& tokens) override;
    std::string position() override;
    bool is_awaited() override;
    void wait(std::chrono::milliseconds timeout) override;

  private:
    // The connection, and what was learnt when it was made.
    struct Server;

    // Connects if need be and runs `body`; an exception ends the connection.
    template <typename Body>
    auto with_server(const Body& body);

    Location location_;
    std::unique_ptr<Server> server_;
};

}  // namespace token_auth::registry
