// The right answers, written a second time from the rules instead of the core: with plain strings,
// sets and maps, without regard to speed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace token_auth::unit {

// An address or a block of addresses, as the digits '0' and '1' that it fixes.
struct Bits {
    int family = 0;  // 4, 6; 0: none
    std::string digits;
};

// "192.0.2.0/24", or an address alone. Throws if it is neither.
Bits bits_of(const std::string& text);

struct ModelToken {
    std::string kind;  // "organization", "group", "user"
    std::string id;
    std::string user;
    bool user_disabled = false;  // of a technical user
    std::string organization;
    std::string group;
    std::string role;
    std::set<std::string> scopes;
    std::vector<std::string> allow;
    std::int64_t not_before = 0;
    std::int64_t expires = 0;
    bool revoked = false;
    std::string key;  // the key of its digest; empty: plain
};

struct World {
    std::map<std::string, bool> users;          // people; whether disabled
    std::map<std::string, bool> organizations;  // whether suspended
    std::map<std::pair<std::string, std::string>, std::string> memberships;  // their roles
    std::map<std::string, std::set<std::string>> roles;
    std::map<std::string, ModelToken> tokens;  // by what is presented
};

struct Request {
    std::string token;
    std::string mode = "required";  // "required", "optional", "off"
    std::string organization;
    std::set<std::string> kinds = {"organization", "group", "user"};
    std::vector<std::string> groups;
    std::vector<std::string> roles;
    std::vector<std::string> scopes;
    std::vector<std::string> scopes_any;
    std::int64_t now = 0;
    std::string client;  // an address; empty: a Unix socket
};

// The rights of a known token in a request.
struct Standing {
    bool known = false;
    ModelToken token;
    std::string organization;  // the claim; empty: none
    bool member = false;
    std::string role;
};

Standing standing_of(const World& world, const Request& request);

// The code of the answer, "ok" if the request passes.
std::string expected_code(const World& world, const Request& request);

// Whether the effective scopes cover one.
bool expected_grant(const World& world, const Standing& standing, const std::string& scope);

// The effective scopes, as $token_auth_scopes shows them.
std::string expected_scopes(const World& world, const Standing& standing);

}  // namespace token_auth::unit
