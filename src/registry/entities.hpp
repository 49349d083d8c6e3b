// What a registry holds, read within a transaction for tokensync.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/session.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// Changes beyond which reading everything is quicker, and does not take the memory of their keys.
inline constexpr int changed_keys_max = 200'000;

// What the log says has changed, by entity. A membership's key is "<user> <organization>".
struct ChangedKeys {
    std::vector<std::string> memberships;
    std::vector<std::string> organizations;
    std::vector<std::string> roles;
    std::vector<std::string> tokens;  // digests
    std::vector<std::string> users;

    bool empty() const;
};

// Takes the rows of a log, entity and key. Empty if everything is to be read: a table was
// truncated, there are more than `changed_keys_max`, or one is of no entity.
std::optional<ChangedKeys> changed_keys(Rows& log);

// Gives the sink the entities of those keys as they are in the transaction's snapshot.
void read_changed(Session& session, const ChangedKeys& keys, Sink& sink);

// As Source::fates(); `trail`: whether the audit trail may be read.
std::vector<Fate> fates_of(Session& session, const std::vector<HeldToken>& tokens, bool trail);

// Streams everything, in the order of the store's keys.
void read_all(Session& session, Sink& sink);

}  // namespace token_auth::registry
