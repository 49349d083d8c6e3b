#include "registry/token_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

bool is_in(const TokenColumn& column, TokenPart part) {
    return part == TokenPart::whole || column.is(TokenColumn::stored);
}

// Whether a column may hold what it holds, by type: NULL too, where that stands for the empty text.
bool has_type(const Rows& row, int at, const TokenColumn& column) {
    const bool is_number = std::holds_alternative<std::int64_t Token::*>(column.member) ||
                           std::holds_alternative<KeyIdColumn>(column.member);
    return is_number ? row.has_integer(at)
                     : row.has_text(at) || (column.is(TokenColumn::null) && row.is_null(at));
}

// Reads one column of a row; what is wrong with it, or null.
const char* read_column(const Rows& row, int at, const TokenColumn& column, Token& token) {
    return std::visit(
        Overloaded{[&](std::string Token::*member) -> const char* {
                       token.*member = row.text(at);
                       return nullptr;
                   },
                   [&](std::int64_t Token::*member) -> const char* {
                       token.*member = row.integer(at);
                       return nullptr;
                   },
                   [&](std::vector<std::string> Token::*member) -> const char* {
                       token.*member = split_words(row.text(at));
                       if (column.is(TokenColumn::sorted)) {
                           token.*member = canonical(std::move(token.*member));
                       }
                       return nullptr;
                   },
                   [&](DigestColumn) -> const char* {
                       const std::string_view text = row.text(at);
                       const auto bytes = from_hex(text);
                       const bool is_lower = std::none_of(
                           text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; });
                       if (!bytes || !is_lower) {
                           token.digest.bytes = {};
                           return "has a digest that is not 64 lower-case hex digits";
                       }
                       token.digest.bytes = *bytes;
                       return nullptr;
                   },
                   [&](KeyIdColumn) -> const char* {
                       const std::int64_t integer = row.integer(at);
                       if (integer < 0 || integer > std::int64_t{UINT32_MAX}) {
                           return "has a key_id that is out of range";
                       }
                       token.digest.key_id = static_cast<KeyId>(integer);
                       return nullptr;
                   },
                   [&](KindColumn) -> const char* {
                       return kind_of_name(row.text(at), token.kind) ? nullptr
                                                                     : "has an unknown kind";
                   }},
        column.member);
}

// Kept in `texts`: what the token does not hold as a text.
Value value_of(const Token& token, const TokenColumn& column, std::deque<std::string>& texts) {
    const Value value = std::visit(
        Overloaded{
            [&](std::string Token::*member) -> Value { return token.*member; },
            [&](std::int64_t Token::*member) -> Value { return token.*member; },
            [&](std::vector<std::string> Token::*member) -> Value {
                return texts.emplace_back(join_words(token.*member));
            },
            [&](DigestColumn) -> Value { return texts.emplace_back(to_hex(token.digest.bytes)); },
            [&](KeyIdColumn) -> Value { return std::int64_t{token.digest.key_id}; },
            [&](KindColumn) -> Value { return kind_name(token.kind); }},
        column.member);
    const auto* const text = std::get_if<std::string_view>(&value);
    const bool is_null = text != nullptr && text->empty() && column.is(TokenColumn::null);
    return is_null ? Value() : value;
}

// The statements that add and update one; the id is the first column.
std::pair<std::string, std::string> make_statements() {
    std::vector<std::string> names;
    std::vector<std::string> parameters;
    std::vector<std::string> updates;
    for (const TokenColumn& column : token_columns) {
        names.emplace_back(column.name);
        parameters.push_back(fmt::format("${}", names.size()));
        updates.push_back(fmt::format("{} = {}", column.name, parameters.back()));
    }
    return {fmt::format("INSERT INTO tokens ({}) VALUES ({})", fmt::join(names, ", "),
                        fmt::join(parameters, ", ")),
            fmt::format("UPDATE tokens SET {} WHERE id = $1", fmt::join(updates, ", "))};
}

}  // namespace

std::string select_list(TokenPart part) {
    std::string list;
    for (const TokenColumn& column : token_columns) {
        if (is_in(column, part)) {
            list += fmt::format("{}t.{}", list.empty() ? "" : ", ", column.name);
        }
    }
    return list;
}

int column_count(TokenPart part) {
    int count = 0;
    for (const TokenColumn& column : token_columns) {
        count += is_in(column, part) ? 1 : 0;
    }
    return count;
}

std::string read_columns(const Rows& row, TokenPart part, Token& into) {
    int at = 0;
    std::string problem;
    for (const TokenColumn& column : token_columns) {
        if (!is_in(column, part)) {
            continue;
        }
        // Before it is read: SQLite makes a text of what is asked for as one.
        const bool is_typed = part != TokenPart::stored || has_type(row, at, column);
        const char* const wrong = read_column(row, at, column, into);
        if (problem.empty() && !is_typed) {
            problem =
                fmt::format("has nothing, or a value of another type, as its {}", column.name);
        } else if (problem.empty() && wrong != nullptr) {
            problem = wrong;
        }
        ++at;
    }
    return problem;
}

void read_token(const Rows& row, TokenPart part, const Location& location, Token& into) {
    const std::string problem = read_columns(row, part, into);
    if (!problem.empty()) {
        throw base::Error(fmt::format(
            "registry {}: the token {} {}; mend or delete it there", location.shown,
            is_identifier(into.id) ? "\"" + into.id + "\"" : "with an unreadable id", problem));
    }
}

void put_token(Session& session, const Token& token, bool is_there) {
    static const auto statements = make_statements();
    std::deque<std::string> texts;
    Values values;
    for (const TokenColumn& column : token_columns) {
        values.push_back(value_of(token, column, texts));
    }
    session.execute(is_there ? statements.second : statements.first, values);
}

void keep_stored(Token& token) {
    for (const TokenColumn& column : token_columns) {
        if (!column.is(TokenColumn::stored)) {
            if (const auto* const text = std::get_if<std::string Token::*>(&column.member)) {
                token.** text = {};
            }
        }
    }
}

}  // namespace token_auth::registry
