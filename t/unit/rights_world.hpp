// A registry in memory, for the tests of rights; and who holds what in it, and what is answered,
// written a second time from the document instead of rights.cpp: without its tables, over a fixed
// set of words.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "registry/rights.hpp"
#include "worlds.hpp"

namespace token_auth::unit {

namespace rights = registry::rights;
using Words = std::set<std::string>;

// Every scope that lists in these worlds hold, odd ones among them.
extern const std::vector<std::string> rights_words;
using WordSet = std::bitset<32>;

struct RightsToken {
    Kind kind = kind_organization;
    std::string owner;  // of a personal one
    std::string organization;
    std::string group;
    std::optional<std::string> role;
    std::optional<Words> own;
    std::int64_t expires = 0;
    bool revoked = false;
    bool rotated = false;
    bool operator==(const RightsToken&) const = default;
};

struct RightsOrganization {
    bool suspended = false;
    bool system = false;
    Words groups;
    bool operator==(const RightsOrganization&) const = default;
};

struct RightsWorld {
    std::map<std::string, Words> roles;
    std::map<std::string, RightsOrganization> organizations;
    std::set<std::string> people;
    // user, organization, group (empty: none) -> role
    std::map<std::array<std::string, 3>, std::string> memberships;
    std::map<std::string, RightsToken> tokens;
    std::int64_t now = 1'000;
    bool operator==(const RightsWorld&) const = default;
};

struct Who {
    rights::Via via = rights::Via::session;
    std::string id;  // the person's or the token's
    bool operator<(const Who& other) const {
        return std::tie(via, id) < std::tie(other.via, other.id);
    }
};

// A question by names.
struct Ask {
    rights::Action action = rights::Action::see_self;
    std::string organization;
    std::string group;
    std::string token;
    std::string user;
    std::optional<std::string> role;  // as it results
    std::optional<Words> own;
    std::optional<std::int64_t> expires;
};

RightsWorld draw_rights_world(Draw& draw);
std::optional<Words> draw_own_list(Draw& draw, unsigned percent_of_none);
std::string draw_role(Draw& draw);

// As rights.hpp wants to be asked.
rights::Place place_of(const RightsWorld& world, const std::string& organization,
                       const std::string& group);
rights::Caller caller_of(const RightsWorld& world, const Who& who);
rights::Request request_of(const RightsWorld& world, const Ask& ask);

// What a list covers, of rights_words.
WordSet covered_by(const Words& list);
WordSet administrative_words();

// What somebody holds in a place, not counting what auth:system brings. Of a token, whether it is
// valid or not.
WordSet held(const RightsWorld& world, const Who& who, const std::string& organization,
             const std::string& group);
bool is_the_system(const RightsWorld& world, const Who& who);

struct Expected {
    std::string code;
    std::string scope;
    Words scopes;
    bool operator==(const Expected&) const = default;
};
Expected expected_decision(const RightsWorld& world, const Who& who, const Ask& ask);
Words expected_may(const RightsWorld& world, const Who& who, const std::string& organization,
                   const std::string& group);

std::string description(const RightsWorld& world);
std::string description(const Who& who);
std::string description(const Ask& ask);

}  // namespace token_auth::unit
