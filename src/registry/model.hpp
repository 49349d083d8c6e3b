// What a registry holds: the model that tokenctl and tokensync share.
//
// Times are Unix seconds, 0 if there is none. Lists of scopes are sorted and without
// repetitions. Plain values, owned; validated by validate.hpp before they get into a registry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "token_auth/digest.hpp"
#include "token_auth/record.hpp"

namespace token_auth::registry {

struct Role {
    std::string id;
    std::vector<std::string> scopes;
    std::string description = {};
    bool operator==(const Role&) const = default;
};

// One of the catalogue that people choose from; a scope need not be in it.
struct ScopeEntry {
    std::string scope;
    std::string description = {};
    bool operator==(const ScopeEntry&) const = default;
};

// What new tokens keep to; 0: no such rule.
struct Policy {
    std::int64_t max_life = 0;      // in seconds, from a token's creation to its expiry
    std::int64_t default_life = 0;  // that of a token whose maker names none
    bool require_allow = false;     // no token without address blocks
    std::int64_t max_tokens = 0;    // valid at the same time
    bool operator==(const Policy&) const = default;
};

struct Organization {
    std::string id;
    bool suspended = false;
    std::int64_t created = 0;
    std::string display_name = {};
    bool system = false;  // one at most: its members may manage everything
    Policy policy = {};
    bool operator==(const Organization&) const = default;
};

struct Group {
    std::string organization;
    std::string id;
    std::int64_t created = 0;
    bool operator==(const Group&) const = default;
};

struct User {
    std::string id;
    bool technical = false;
    bool disabled = false;
    std::int64_t created = 0;
    // For people, and may be empty.
    std::string display_name = {};
    std::string email = {};
    std::string sso_name = {};  // what single sign-on calls them; no two have the same
    bool operator==(const User&) const = default;
};

// With a group it is a membership in that one alone, for managing: the gateway does not know it.
struct Membership {
    std::string user;
    std::string organization;
    std::string role;
    std::int64_t created = 0;
    std::string group = {};
    bool operator==(const Membership&) const = default;
};

// Where a user is a member, and as what.
struct MemberOf {
    std::string organization;
    std::string role;
    bool operator==(const MemberOf&) const = default;
};

// A digest as the registry and JSON Lines write it:
// "sha256:<64 hex digits>" or "hmac-sha256:<8 hex digits of key id>:<64 hex digits>".
struct TokenDigest {
    KeyId key_id = no_key;
    Digest bytes{};
    bool operator==(const TokenDigest&) const = default;
};

// By what somebody acts.
inline constexpr const char* via_names[] = {"session", "token", "auth_token", "tokenctl"};

struct Token {
    std::string id;
    std::string prefix;  // what stands before "_<id>"; empty for a token made elsewhere
    TokenDigest digest;
    Kind kind = kind_organization;
    std::string user;          // the subject: a person, or the token's technical user
    std::string organization;  // empty for a user token
    std::string group;         // empty but for a group token
    std::string role;          // empty: none
    std::vector<std::string> scopes;
    std::string name;
    std::string description;
    std::vector<std::string> allow;  // CIDR blocks
    std::int64_t created = 0;
    std::int64_t not_before = 0;
    std::int64_t expires = 0;
    std::int64_t revoked = 0;  // when it was revoked
    std::string predecessor;   // token ids; empty: none
    std::string successor;
    std::string created_by;   // the actor; empty: not known
    std::string created_via;  // one of via_names; empty: not known
    // Read with the token; no columns of its own.
    bool user_disabled = false;
    // Of a user token, by organization: all of its user's, or the first memberships_max + 1 of
    // them.
    std::vector<MemberOf> memberships;
    bool operator==(const Token&) const = default;
};

}  // namespace token_auth::registry
