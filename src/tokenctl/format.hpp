// How tokenctl shows what a registry holds: JSON objects for programs, words for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "registry/importer.hpp"
#include "registry/registry.hpp"
#include "registry/usage.hpp"
#include "registry/version.hpp"
#include "registry/writer.hpp"

namespace token_auth::tokenctl {

// The object that --json shows for an entity, on one line without a newline. A command that
// changes something names its outcome (added, updated, unchanged, removed), which comes first.
std::string json_of(const registry::Role& role, const char* outcome = nullptr);
std::string json_of(const registry::ScopeEntry& entry, const char* outcome = nullptr);
std::string json_of(const registry::Organization& organization, const char* outcome = nullptr);
std::string json_of(const registry::Group& group, const char* outcome = nullptr);
std::string json_of(const registry::User& user, const char* outcome = nullptr);
std::string json_of(const registry::Membership& membership, const char* outcome = nullptr);
// With the token's status, without its digest.
std::string json_of(const registry::TokenView& view, std::int64_t now,
                    const char* outcome = nullptr);
// The same with its last use, if any host tells of it: null is never.
std::string json_of(const registry::TokenView& view, std::int64_t now, bool is_told,
                    const registry::TokenUse* use);
// A token whose row cannot be read: its id alone.
std::string json_of_unreadable(const std::string& id, const char* outcome);
// A token that rotate made, with the end of the one before it.
std::string json_of_successor(const registry::TokenView& view, std::int64_t now,
                              std::int64_t predecessor_expires);
std::string json_of(const registry::AuditRow& row);
std::string json_of(const registry::ImportCounts& counts);
// A registry that init made; `location` is its URL without a password.
std::string json_of(const registry::NewRegistry& made, const std::string& location);
// What migrate did, or is to do; `outcome` is "updated", "unchanged" or "planned".
std::string json_of(const registry::Migration& migration,
                    const std::vector<std::string>& hosts_too_old, const std::string& location,
                    const char* outcome);

const char* name_of(registry::Outcome outcome);

// "longest life 90d, default 30d, addresses needed, at most 100 tokens"; empty: no rules.
std::string policy_text(const registry::Policy& policy);

// "organization acme", "group acme/ops", "user ann"
std::string owner_text(const registry::Token& token);

// "2027-01-31T00:00:00Z" or "never"
std::string expiry_text(const registry::Token& token);

}  // namespace token_auth::tokenctl
