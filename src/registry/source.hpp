// Where tokensync takes a store's content from: a registry, or a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "registry/model.hpp"

namespace token_auth::registry {

// Receives entities as they are now. `gone` members: the entity no longer exists.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual void put(const Membership& membership) = 0;
    virtual void put(const Organization& organization) = 0;
    virtual void put(const Role& role) = 0;
    virtual void put(const Token& token) = 0;
    virtual void put(const User& user) = 0;  // people only
    virtual void gone_membership(const std::string& user, const std::string& organization) = 0;
    virtual void gone_organization(const std::string& id) = 0;
    virtual void gone_role(const std::string& id) = 0;
    virtual void gone_token(const Digest& digest) = 0;
    virtual void gone_user(const std::string& id) = 0;
};

// Thrown out of what the descriptor of stop_on() ended.
class Stopped : public std::runtime_error {
  public:
    Stopped() : std::runtime_error("stopped") {}
};

// Errors are exceptions derived from std::runtime_error whose text names the thing and the remedy.
class Source {
  public:
    virtual ~Source() = default;

    // A descriptor that ends every wait when it becomes readable, those within other calls by the
    // exception Stopped; -1: none. The caller keeps it.
    void stop_on(int fd) noexcept { stop_fd_ = fd; }

    // What messages call it.
    virtual std::string title() const { return "the registry"; }

    // Which registry this is: stays the same when its content changes.
    virtual std::string identity() = 0;

    // How many tokens there are now.
    virtual std::uint64_t token_count() = 0;

    // Gives the sink all entities that changed after `position`, each once, in its present state,
    // all of one snapshot; returns the new position (equal to `position` if nothing changed).
    // Empty if that position is not in the change log (any more): then all() is called for.
    virtual std::optional<std::string> changes(const std::string& position, Sink& sink) = 0;

    // Gives the sink everything, of one snapshot, in the order of the store's keys: memberships by
    // user and organization, organizations, roles, tokens by digest, people. Returns the position.
    virtual std::string all(Sink& sink) = 0;

    // Whether nothing changed between two positions, the latter of which all() gave last.
    virtual bool no_change_between(const std::string& position, const std::string& latest) {
        return position == latest;
    }

    // Waits until the source may have changed, at most `timeout`. May return early.
    virtual void wait(std::chrono::milliseconds timeout) = 0;

  protected:
    int stop_fd() const noexcept { return stop_fd_; }

  private:
    int stop_fd_ = -1;
};

// The registry that a URL names, as for --registry; base::Error (wrong usage) if it names none.
std::unique_ptr<Source> open_registry(const std::string& url);

}  // namespace token_auth::registry
