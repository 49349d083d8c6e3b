#include "registry/entities.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <unordered_set>
#include <utility>

#include "registry/token_columns.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

constexpr std::size_t keys_per_query = 5000;

Membership membership_of(const Rows& row) {
    return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), 0};
}

Organization organization_of(const Rows& row) {
    return {std::string(row.text(0)), row.integer(1) != 0, 0};
}

Role role_of(const Rows& row) {
    return {std::string(row.text(0)), split_words(row.text(1))};
}

User user_of(const Rows& row) {
    User user;
    user.id = row.text(0);
    user.disabled = row.integer(1) != 0;
    return user;
}

// Tokens with whether their user is disabled.
class TokenReader {
  public:
    explicit TokenReader(const Location& location) : location_(location) {}

    const Token& read(const Rows& row) {
        read_token(row, TokenPart::stored, location_, token_);
        token_.user_disabled = row.integer(columns_) != 0;
        return token_;
    }

  private:
    const Location& location_;
    const int columns_ = column_count(TokenPart::stored);
    Token token_;  // millions are read into the same one
};

std::pair<std::string, std::string> parse_membership_key(const std::string& key,
                                                         const Location& location) {
    const std::size_t space = key.find(' ');
    if (space == std::string::npos) {
        throw base::Error(fmt::format(
            "registry {}: its change log holds a membership that names no organization; "
            "restore its triggers from the schema",
            location.shown));
    }
    return {key.substr(0, space), key.substr(space + 1)};
}

// Reads entities by their keys.
class EntityReader {
  public:
    EntityReader(Session& session, Sink& sink)
        : session_(session), sink_(sink), tokens_(session.location()) {}

    void read(const ChangedKeys& keys) {
        memberships(keys.memberships);
        by_key(
            keys.organizations, "SELECT id, suspended FROM organizations WHERE id",
            [&](const Rows& row) { sink_.put(organization_of(row)); },
            [&](const std::string& id) { sink_.gone_organization(id); });
        by_key(
            keys.roles, "SELECT id, scopes FROM roles WHERE id",
            [&](const Rows& row) { sink_.put(role_of(row)); },
            [&](const std::string& id) { sink_.gone_role(id); });
        tokens(keys.tokens);
        by_key(
            keys.users, "SELECT id, disabled FROM users WHERE technical = 0 AND id",
            [&](const Rows& row) { sink_.put(user_of(row)); },
            [&](const std::string& id) { sink_.gone_user(id); });
        // An organization's token may act for a person, and then holds their state.
        chunks(keys.users, [&](std::span<const std::string> chunk) {
            const auto rows = rows_of(select_tokens() + " WHERE t.kind <> 'user' AND t.user_id",
                                      {chunk.begin(), chunk.end()});
            while (rows->next()) {
                sink_.put(tokens_.read(*rows));
            }
        });
    }

  private:
    template <typename Each>
    static void chunks(const std::vector<std::string>& keys, const Each& each) {
        std::span<const std::string> left(keys);
        while (!left.empty()) {
            const auto chunk = left.first(std::min(keys_per_query, left.size()));
            each(chunk);
            left = left.subspan(chunk.size());
        }
    }

    std::unique_ptr<Rows> rows_of(const std::string& sql_until_key,
                                  const std::vector<std::string_view>& keys) {
        return session_.query(fmt::format("{} {}", sql_until_key, session_.in_list()),
                              {session_.list(keys)});
    }

    // The first column is the key.
    template <typename Put, typename Gone>
    void by_key(const std::vector<std::string>& keys, const std::string& sql_until_key,
                const Put& put, const Gone& gone) {
        chunks(keys, [&](std::span<const std::string> chunk) {
            std::unordered_set<std::string_view> missing(chunk.begin(), chunk.end());
            const auto rows = rows_of(sql_until_key, {chunk.begin(), chunk.end()});
            while (rows->next()) {
                missing.erase(rows->text(0));
                put(*rows);
            }
            for (const std::string_view key : missing) {
                gone(std::string(key));
            }
        });
    }

    static std::string select_tokens() {
        return fmt::format("SELECT {}, {} FROM tokens t LEFT JOIN users u ON u.id = t.user_id",
                           select_list(TokenPart::stored), user_disabled_column);
    }

    void tokens(const std::vector<std::string>& digests) {
        chunks(digests, [&](std::span<const std::string> chunk) {
            std::unordered_set<std::string> missing(chunk.begin(), chunk.end());
            const auto rows =
                rows_of(select_tokens() + " WHERE t.digest", {chunk.begin(), chunk.end()});
            while (rows->next()) {
                const Token& token = tokens_.read(*rows);
                missing.erase(to_hex(token.digest.bytes));
                sink_.put(token);
            }
            for (const std::string& digest : missing) {
                // (in another spelling there is no such token, and may be one in this)
                if (const auto bytes = from_hex(digest); bytes && to_hex(*bytes) == digest) {
                    sink_.gone_token(*bytes);
                }
            }
        });
    }

    // By their users: no list of both is the same in both engines.
    void memberships(const std::vector<std::string>& keys) {
        chunks(keys, [&](std::span<const std::string> chunk) {
            std::unordered_set<std::string> missing(chunk.begin(), chunk.end());
            std::vector<std::string> users;
            for (const std::string& key : chunk) {
                users.push_back(parse_membership_key(key, session_.location()).first);
            }
            const auto rows =
                rows_of("SELECT user_id, organization, role FROM memberships WHERE user_id",
                        {users.begin(), users.end()});
            while (rows->next()) {
                const Membership membership = membership_of(*rows);
                if (missing.erase(membership.user + ' ' + membership.organization) != 0) {
                    sink_.put(membership);
                }
            }
            for (const std::string& key : missing) {
                const auto [user, organization] = parse_membership_key(key, session_.location());
                sink_.gone_membership(user, organization);
            }
        });
    }

    Session& session_;
    Sink& sink_;
    TokenReader tokens_;
};

// Each engine has its own quickest way to all tokens in the order of their digests. SQLite: sorted,
// rather than by the index, which would read the table at random; users that are missing are found
// in the order of two indexes. PostgreSQL: joined, as a set might not fit its memory.
std::string select_all_tokens(Engine engine) {
    const std::string rest =
        engine == Engine::sqlite
            ? "t.user_id IN (SELECT id FROM users WHERE disabled = 1 UNION ALL "
              "SELECT s.user_id FROM tokens s LEFT JOIN users u ON u.id = s.user_id "
              "WHERE u.id IS NULL) FROM tokens t ORDER BY +t.digest"
            : fmt::format(
                  "{} FROM tokens t LEFT JOIN users u ON u.id = t.user_id "
                  "ORDER BY t.digest",
                  user_disabled_column);
    return fmt::format("SELECT {}, {}", select_list(TokenPart::stored), rest);
}

}  // namespace

bool ChangedKeys::empty() const {
    return memberships.empty() && organizations.empty() && roles.empty() && tokens.empty() &&
           users.empty();
}

std::optional<ChangedKeys> changed_keys(Rows& log, const Location& location) {
    ChangedKeys keys;
    for (int count = 1; log.next(); ++count) {
        const std::string_view entity = log.text(0);
        std::vector<std::string>* const list = entity == "token"          ? &keys.tokens
                                               : entity == "membership"   ? &keys.memberships
                                               : entity == "organization" ? &keys.organizations
                                               : entity == "role"         ? &keys.roles
                                               : entity == "user"         ? &keys.users
                                                                          : nullptr;
        if (count > changed_keys_max || entity == "everything") {
            return std::nullopt;
        }
        if (list == nullptr) {
            throw base::Error(
                fmt::format("registry {}: its change log names something unknown to this "
                            "tokensync; use programs of one release",
                            location.shown));
        }
        list->emplace_back(log.text(1));
    }
    return keys;
}

void read_changed(Session& session, const ChangedKeys& keys, Sink& sink) {
    EntityReader(session, sink).read(keys);
}

void read_all(Session& session, Sink& sink) {
    const auto each = [&](std::string_view sql, const auto& put) {
        const auto rows = session.copy(sql);
        while (rows->next()) {
            put(*rows);
        }
    };
    each("SELECT user_id, organization, role FROM memberships ORDER BY user_id, organization",
         [&](const Rows& row) { sink.put(membership_of(row)); });
    each("SELECT id, suspended FROM organizations ORDER BY id",
         [&](const Rows& row) { sink.put(organization_of(row)); });
    each("SELECT id, scopes FROM roles ORDER BY id",
         [&](const Rows& row) { sink.put(role_of(row)); });
    TokenReader tokens(session.location());
    each(select_all_tokens(session.engine()), [&](const Rows& row) { sink.put(tokens.read(row)); });
    each("SELECT id, disabled FROM users WHERE technical = 0 ORDER BY id",
         [&](const Rows& row) { sink.put(user_of(row)); });
}

}  // namespace token_auth::registry
