// Where tokensync takes a store's content from: a registry, or a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "registry/bad_row.hpp"
#include "registry/model.hpp"

namespace token_auth::registry {

// Receives entities as they are now. `gone` members: the entity no longer exists.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual void put(const Organization& organization) = 0;
    virtual void put(const Role& role) = 0;
    // With its user's state and memberships.
    virtual void put(const Token& token) = 0;
    // All of a user's, by organization.
    virtual void put_memberships(const std::string& user, const std::vector<MemberOf>& all) = 0;
    virtual void gone_organization(const std::string& id) = 0;
    virtual void gone_role(const std::string& id) = 0;
    virtual void gone_token(const Digest& digest) = 0;
    // A row that no record can hold, beside the gone member of its entity where that has a key.
    virtual void leave_out(const BadRow& row) = 0;
    // The row of that key in the change log is given or left out beside this call as it is now, or
    // is gone. Whether it was left out before.
    virtual bool changed(std::string_view /*entity*/, const std::string& /*key*/) { return false; }
};

// A token that a store holds.
struct HeldToken {
    std::string id;
    Digest digest{};
    std::string user{};
    std::string organization{};  // empty for a personal token
    std::string group{};         // empty but for a group's token
};

// Why a source does not give a token that it gave before.
enum class Fate {
    lost,     // nothing says that this was meant: SQL, damage, another file
    removed,  // on purpose: so says the last row of the audit trail about it, or a later one about
              // its organization, group or user
    rekeyed,  // its id has another digest now
    refused,  // lost, but what is left of it says revoked, or its user is disabled
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

    // Gives the sink all entities that changed after `position`, in their present state, all of one
    // snapshot: if a user or a membership changed, that user's memberships and tokens. Returns the
    // new position (equal to `position` where nothing changed). Empty where that position is not in
    // the change log (any more): then all() is called for.
    virtual std::optional<std::string> changes(const std::string& position, Sink& sink) = 0;

    // Gives the sink everything, of one snapshot: organizations, roles, tokens by digest, then the
    // memberships of users who have more than memberships_max. Returns the position.
    virtual std::string all(Sink& sink) = 0;

    // What became of tokens that changes() or all() says are gone, or did not give; a few thousand
    // at a time. It asks the audit trail, by the ids that the store's records hold, so it does not
    // matter which position the store has, nor how much of the change log is left: it holds for
    // changes(), a full load and a rebuild alike. What is read is at least as new as what the call
    // before read. `lost` for all where there is no trail, or none that this account may read.
    virtual std::vector<Fate> fates(const std::vector<HeldToken>& tokens) {
        return std::vector<Fate>(tokens.size(), Fate::lost);
    }

    // Whether nothing changed between two positions, the latter of which all() gave last: the store
    // of the first one has all that all() gave. The first one may be the later one.
    virtual bool no_change_between(const std::string& position, const std::string& latest) {
        return position == latest;
    }

    // The position that a store of everything there is now would have, for no_change_between().
    // Empty if there is no such thing.
    virtual std::string position() { return {}; }

    // Whether somebody waits for what was committed to reach the hosts (Registry::announce_wait()).
    virtual bool is_awaited() { return false; }

    // Waits until the source may have changed, at most `timeout`. May return early.
    virtual void wait(std::chrono::milliseconds timeout) = 0;

  protected:
    int stop_fd() const noexcept { return stop_fd_; }

  private:
    int stop_fd_ = -1;
};

// The registry that a URL names, as for --registry; base::Error (wrong usage) where it names none.
std::unique_ptr<Source> open_registry(const std::string& url);

}  // namespace token_auth::registry
