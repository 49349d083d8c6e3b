// A row of a registry that no record of the store can hold: how messages call it, and by what the
// change log knows it.
#pragma once

#include <string>
#include <string_view>

#include "registry/model.hpp"

namespace token_auth::registry {

struct BadRow {
    std::string_view entity;  // as in the change log: "token"
    std::string key;          // likewise
    std::string name;         // the token "t1"
    std::string id;           // as much of it as may be shown
    std::string problem;      // completes the name: has a name of more than 255 bytes
};

BadRow bad_token(const Token& token, std::string problem);
BadRow bad_organization(const std::string& id, std::string problem);
BadRow bad_role(const std::string& id, std::string problem);
BadRow bad_user(const std::string& id, std::string problem);
BadRow bad_membership(const std::string& user, const std::string& organization,
                      std::string problem);

// "the token with the digest 1a2b3c4d…", as much of it as may be shown.
std::string digest_hint(const Digest& digest);

// The key of a membership in the change log.
std::string membership_key(std::string_view user, std::string_view organization);

// "has an id that is no identifier (…)"; empty if it is one.
std::string identifier_problem(std::string_view id, std::string_view which);

}  // namespace token_auth::registry
