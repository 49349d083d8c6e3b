// A token as a source reads it from the registry's tables: the columns that the store needs.
#pragma once

#include <string>

#include "registry/connection.hpp"
#include "registry/model.hpp"

namespace token_auth::registry {

// A full load reads millions of these into the same one: columns that are texts in the model, too,
// are read into it directly.
struct StoredToken {
    Token token;  // id, user, organization, group, role, name; the rest is made by complete()
    std::string digest;
    std::string kind;
    std::string scopes;
    std::string allow;
    long long key_id = 0;
    long long not_before = 0;
    long long expires = 0;
    long long revoked = 0;
    int user_disabled = 0;

    // `token`, with the columns checked; base::Error where the registry holds what it should not.
    const Token& complete(const Location& location);
};

}  // namespace token_auth::registry
