// The columns of a token: the one place that names a token's fields beside its model.
//
// SELECT, INSERT, the store's loads and the form in JSON Lines follow from this table; so a new
// field needs a member in model.hpp, a line here, its column in the schemas, and its check in
// validate.cpp.
#pragma once

#include <string>
#include <variant>

#include "registry/model.hpp"
#include "registry/session.hpp"

namespace token_auth::registry {

// Columns that are not the text or number that their member is. A digest is two columns, and one
// field.
struct DigestColumn {};
struct KeyIdColumn {};
struct KindColumn {};

using TokenMember =
    std::variant<std::string Token::*, std::int64_t Token::*, std::vector<std::string> Token::*,
                 DigestColumn, KeyIdColumn, KindColumn>;

// For std::visit of a member.
template <typename... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang before 17 does not make it itself

struct TokenColumn {
    enum Flag : unsigned {
        stored = 1,    // the store's records need it
        null = 2,      // NULL stands for the empty text
        required = 4,  // in JSON Lines
        sorted = 8,    // a set of words, in whatever order SQL wrote them
    };

    const char* name;   // in SQL
    const char* field;  // in JSON Lines; null: none of its own
    TokenMember member;
    unsigned flags = 0;

    constexpr bool is(Flag flag) const { return (flags & flag) != 0; }
};

inline constexpr TokenColumn token_columns[] = {
    {"id", "id", &Token::id, TokenColumn::stored | TokenColumn::required},
    {"prefix", "prefix", &Token::prefix},
    {"digest", "digest", DigestColumn{}, TokenColumn::stored | TokenColumn::required},
    {"key_id", nullptr, KeyIdColumn{}, TokenColumn::stored},
    {"kind", "kind", KindColumn{}, TokenColumn::stored | TokenColumn::required},
    {"user_id", "user", &Token::user, TokenColumn::stored},
    {"organization", "organization", &Token::organization, TokenColumn::stored | TokenColumn::null},
    {"group_id", "group", &Token::group, TokenColumn::stored | TokenColumn::null},
    {"role", "role", &Token::role, TokenColumn::stored | TokenColumn::null},
    {"scopes", "scopes", &Token::scopes, TokenColumn::stored | TokenColumn::sorted},
    {"name", "name", &Token::name, TokenColumn::stored | TokenColumn::required},
    {"description", "description", &Token::description},
    {"allow", "allow", &Token::allow, TokenColumn::stored},
    {"created_at", "created", &Token::created},
    {"not_before", "not_before", &Token::not_before, TokenColumn::stored},
    {"expires_at", "expires", &Token::expires, TokenColumn::stored},
    {"revoked_at", "revoked", &Token::revoked, TokenColumn::stored},
    {"predecessor", "predecessor", &Token::predecessor, TokenColumn::null},
    {"successor", "successor", &Token::successor, TokenColumn::null},
    {"created_by", "created_by", &Token::created_by},
    {"created_via", "created_via", &Token::created_via},
};

enum class TokenPart { whole, stored };

// "t.id, t.prefix, …", for a SELECT from tokens t.
std::string select_list(TokenPart part);
// Behind that list, if users u is joined by LEFT JOIN: whether the token's user is disabled. SQL
// can leave a token without its user; that one is refused.
inline constexpr std::string_view user_disabled_column =
    "CASE WHEN u.disabled = 0 THEN 0 ELSE 1 END";
int column_count(TokenPart part);

// Reads those columns, from the row's first one on, into the token, whose other members stay. What
// is wrong with the first one that holds what no registry should, as in "has a key_id that is out
// of range"; empty: nothing. All that can be read is read. Only for TokenPart::stored also a value
// of another type, or none.
std::string read_columns(const Rows& row, TokenPart part, Token& into);
// The same; base::Error if anything is wrong.
void read_token(const Rows& row, TokenPart part, const Location& location, Token& into);

// Adds the token, or updates the one of its id, if there is one.
void put_token(Session& session, const Token& token, bool is_there);

// Empties what the store's records do not need.
void keep_stored(Token& token);

}  // namespace token_auth::registry
