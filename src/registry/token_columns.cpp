#include "registry/token_columns.hpp"

#include <fmt/format.h>

#include <deque>

#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

bool is_in(const TokenColumn& column, TokenPart part) {
    return part == TokenPart::whole || column.is(TokenColumn::stored);
}

// Reads one column; what is wrong with it, or null.
class ColumnReader {
  public:
    ColumnReader(const Rows& row, Token& token) : row_(row), token_(token) {}

    const char* read(const TokenColumn& column, int at) {
        at_ = at;
        sorted_ = column.is(TokenColumn::sorted);
        return std::visit(*this, column.member);
    }

    const char* operator()(std::string Token::*member) {
        token_.*member = row_.text(at_);
        return nullptr;
    }
    const char* operator()(std::int64_t Token::*member) {
        token_.*member = row_.integer(at_);
        return nullptr;
    }
    const char* operator()(std::vector<std::string> Token::*member) {
        auto words = split_words(row_.text(at_));
        token_.*member = sorted_ ? canonical(std::move(words)) : std::move(words);
        return nullptr;
    }
    const char* operator()(DigestColumn) {
        const auto bytes = from_hex(row_.text(at_));
        if (!bytes || to_hex(*bytes) != row_.text(at_)) {
            return "a digest that is not 64 lower-case hex digits";
        }
        token_.digest.bytes = *bytes;
        return nullptr;
    }
    const char* operator()(KeyIdColumn) {
        const std::int64_t id = row_.integer(at_);
        if (id < 0 || id > std::int64_t{UINT32_MAX}) {
            return "a key_id that is out of range";
        }
        token_.digest.key_id = static_cast<KeyId>(id);
        return nullptr;
    }
    const char* operator()(KindColumn) {
        return kind_of_name(row_.text(at_), token_.kind) ? nullptr : "an unknown kind";
    }

  private:
    const Rows& row_;
    Token& token_;
    int at_ = 0;
    bool sorted_ = false;
};

// A token's values, which hold while the token does and this.
class ColumnValues {
  public:
    explicit ColumnValues(const Token& token) : token_(token) {
        for (const TokenColumn& column : token_columns) {
            Value value = std::visit(*this, column.member);
            const auto* const text = std::get_if<std::string_view>(&value);
            if (text != nullptr && text->empty() && column.is(TokenColumn::null)) {
                value = std::monostate();
            }
            values_.push_back(value);
        }
    }
    const Values& get() const { return values_; }

    Value operator()(std::string Token::*member) { return token_.*member; }
    Value operator()(std::int64_t Token::*member) { return token_.*member; }
    Value operator()(std::vector<std::string> Token::*member) {
        return texts_.emplace_back(join_words(token_.*member));
    }
    Value operator()(DigestColumn) { return texts_.emplace_back(to_hex(token_.digest.bytes)); }
    Value operator()(KeyIdColumn) { return std::int64_t{token_.digest.key_id}; }
    Value operator()(KindColumn) { return kind_name(token_.kind); }

  private:
    const Token& token_;
    std::deque<std::string> texts_;
    Values values_;
};

std::string make_upsert() {
    std::vector<std::string> names;
    std::vector<std::string> parameters;
    std::vector<std::string> updates;
    for (const TokenColumn& column : token_columns) {
        names.emplace_back(column.name);
        parameters.push_back(fmt::format("${}", names.size()));
        updates.push_back(fmt::format("{0} = excluded.{0}", column.name));
    }
    return fmt::format("INSERT INTO tokens ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
                       fmt::join(names, ", "), fmt::join(parameters, ", "),
                       fmt::join(updates, ", "));
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

void read_token(const Rows& row, TokenPart part, const Location& location, Token& into) {
    ColumnReader reader(row, into);
    int at = 0;
    for (const TokenColumn& column : token_columns) {
        if (!is_in(column, part)) {
            continue;
        }
        if (const char* const wrong = reader.read(column, at++)) {
            throw base::Error(fmt::format(
                "registry {}: the token {} has {}; mend or delete it there", location.shown,
                is_identifier(into.id) ? "\"" + into.id + "\"" : "with an unreadable id", wrong));
        }
    }
}

void put_token(Session& session, const Token& token) {
    static const std::string upsert = make_upsert();
    session.execute(upsert, ColumnValues(token).get());
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
