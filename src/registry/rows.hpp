// How tokens stand in the registry's tables.
#pragma once

#include <string>

#include <soci/soci.h>

#include "registry/model.hpp"

namespace token_auth::registry {

// The columns of a token as SQL gives and takes them; NULL is the empty string.
struct TokenRow {
    std::string id;
    std::string prefix;
    std::string digest;
    long long key_id = 0;
    std::string kind;
    std::string user;
    std::string organization;
    std::string group;
    std::string role;
    std::string scopes;
    std::string name;
    std::string description;
    std::string allow;
    long long created = 0;
    long long not_before = 0;
    long long expires = 0;
    long long revoked = 0;
    std::string predecessor;
    std::string successor;
    int user_disabled = 0;
    int organization_suspended = 0;
};

// "SELECT … FROM tokens t JOIN …" with these columns, ready for a WHERE; the users are `u`, the
// organizations `o`.
extern const char* const select_token_rows;

// Has a statement fetch into the row, which must outlive it.
void bind_into(soci::statement& statement, TokenRow& row);

// An INSERT of a token that updates it where there is one of that id; for bind_use().
extern const char* const upsert_token_row;

// Has a statement take its values from the row, which must outlive it.
void bind_use(soci::statement& statement, const TokenRow& row);

TokenRow row_of(const Token& token);

// base::Error where the row holds what no registry should.
Token token_of(const TokenRow& row);

}  // namespace token_auth::registry
