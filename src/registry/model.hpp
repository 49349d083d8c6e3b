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
    bool operator==(const Role&) const = default;
};

struct Organization {
    std::string id;
    bool suspended = false;
    std::int64_t created = 0;
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
    std::string display_name;  // both are for people, and may be empty
    std::string email;
    bool operator==(const User&) const = default;
};

struct Membership {
    std::string user;
    std::string organization;
    std::string role;
    std::int64_t created = 0;
    bool operator==(const Membership&) const = default;
};

// A digest as the registry and JSON Lines write it:
// "sha256:<64 hex digits>" or "hmac-sha256:<8 hex digits of key id>:<64 hex digits>".
struct TokenDigest {
    KeyId key_id = no_key;
    Digest bytes{};
    bool operator==(const TokenDigest&) const = default;
};

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
    bool user_disabled = false;  // read with the token; not a column of its own
    bool operator==(const Token&) const = default;
};

}  // namespace token_auth::registry
