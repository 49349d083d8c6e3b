#include "registry/entities.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "registry/token_columns.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

constexpr std::size_t keys_per_query = 5000;

Organization organization_of(const Rows& row) {
    return {std::string(row.text(0)), row.integer(1) != 0, 0};
}

Role role_of(const Rows& row) {
    return {std::string(row.text(0)), split_words(row.text(1))};
}

// "acme admin,other reader", as memberships_of_user makes it.
void read_memberships(std::string_view list, std::vector<MemberOf>& into) {
    into.clear();
    while (!list.empty()) {
        const std::string_view one = list.substr(0, list.find(','));
        list.remove_prefix(std::min(one.size() + 1, list.size()));
        const std::size_t space = one.find(' ');
        into.push_back({std::string(one.substr(0, space)),
                        std::string(space == std::string_view::npos ? "" : one.substr(space + 1))});
    }
}

// Memberships, those in organizations that SQL has removed left out.
constexpr std::string_view sound_memberships =
    "SELECT m.user_id, m.organization, m.role FROM memberships m "
    "JOIN organizations o ON o.id = m.organization";

// The first memberships of the user of a token t.
std::string memberships_of_user(Engine engine) {
    return fmt::format(
        "CASE WHEN t.kind = 'user' THEN (SELECT {}(one, ',') FROM (SELECT m.organization || ' ' || "
        "m.role AS one FROM memberships m JOIN organizations o ON o.id = m.organization "
        "WHERE m.user_id = t.user_id ORDER BY m.organization LIMIT {}) AS few) END",
        engine == Engine::sqlite ? "group_concat" : "string_agg", memberships_max + 1);
}

// What is known of those that a token belongs to, behind the columns of tokens t, with users u and
// organizations o joined by LEFT JOIN. SQL can remove them and leave the token: it is an orphan,
// which no store may hold.
enum OwnerState : std::int64_t { owner_active = 0, owner_disabled = 1, owner_gone = 2 };
constexpr std::string_view owner_state =
    "CASE WHEN u.id IS NULL OR (t.organization IS NOT NULL AND o.id IS NULL) THEN 2 "
    "WHEN u.disabled = 0 THEN 0 ELSE 1 END";
constexpr std::string_view join_owners =
    "LEFT JOIN users u ON u.id = t.user_id LEFT JOIN organizations o ON o.id = t.organization";

// Tokens with their owners' state and their user's memberships.
class TokenReader {
  public:
    explicit TokenReader(const Location& location) : location_(location) {}

    const Token& read(const Rows& row) {
        read_token(row, TokenPart::stored, location_, token_);
        token_.user_disabled = row.integer(columns_) != owner_active;
        read_memberships(row.text(columns_ + 1), token_.memberships);
        return token_;
    }

    bool is_orphan(const Rows& row) const { return row.integer(columns_) == owner_gone; }

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
        by_key(
            keys.organizations, "SELECT id, suspended FROM organizations WHERE id",
            [&](const Rows& row) { sink_.put(organization_of(row)); },
            [&](const std::string& id) {
                sink_.gone_organization(id);
                gone_organizations_.push_back(id);
            });
        by_key(
            keys.roles, "SELECT id, scopes FROM roles WHERE id",
            [&](const Rows& row) { sink_.put(role_of(row)); },
            [&](const std::string& id) { sink_.gone_role(id); });
        tokens(keys.tokens);
        put_tokens("t.organization", gone_organizations_);
        users(keys);
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

    std::string select_tokens() const {
        return fmt::format("SELECT {}, {}, {} FROM tokens t {}", select_list(TokenPart::stored),
                           owner_state, memberships_of_user(session_.engine()), join_owners);
    }

    void tokens(const std::vector<std::string>& digests) {
        chunks(digests, [&](std::span<const std::string> chunk) {
            std::unordered_set<std::string> missing(chunk.begin(), chunk.end());
            const auto rows =
                rows_of(select_tokens() + " WHERE t.digest", {chunk.begin(), chunk.end()});
            while (rows->next()) {
                if (!tokens_.is_orphan(*rows)) {
                    const Token& token = tokens_.read(*rows);
                    missing.erase(to_hex(token.digest.bytes));
                    sink_.put(token);
                }
            }
            for (const std::string& digest : missing) {
                // (in another spelling there is no such token, and may be one in this)
                if (const auto bytes = from_hex(digest); bytes && to_hex(*bytes) == digest) {
                    sink_.gone_token(*bytes);
                }
            }
        });
    }

    // The tokens whose column has one of the keys.
    void put_tokens(std::string_view column, const std::vector<std::string>& keys) {
        chunks(keys, [&](std::span<const std::string> chunk) {
            const auto rows = rows_of(fmt::format("{} WHERE {}", select_tokens(), column),
                                      {chunk.begin(), chunk.end()});
            while (rows->next()) {
                const Token& token = tokens_.read(*rows);
                if (tokens_.is_orphan(*rows)) {
                    sink_.gone_token(token.digest.bytes);
                } else {
                    sink_.put(token);
                }
            }
        });
    }

    // A user's tokens hold their state and memberships.
    void users(const ChangedKeys& keys) {
        std::set<std::string> changed(keys.users.begin(), keys.users.end());
        chunks(gone_organizations_, [&](std::span<const std::string> chunk) {
            const auto rows = rows_of("SELECT user_id FROM memberships WHERE organization",
                                      {chunk.begin(), chunk.end()});
            while (rows->next()) {
                changed.emplace(rows->text(0));
            }
        });
        for (const std::string& key : keys.memberships) {
            changed.insert(parse_membership_key(key, session_.location()).first);
        }
        const std::vector<std::string> users(changed.begin(), changed.end());
        chunks(users, [&](std::span<const std::string> chunk) { memberships(chunk); });
        put_tokens("t.user_id", users);
    }

    void memberships(std::span<const std::string> users) {
        std::map<std::string, std::vector<MemberOf>, std::less<>> all;
        for (const std::string& user : users) {
            all[user];
        }
        const auto rows = rows_of(fmt::format("{} WHERE m.user_id", sound_memberships),
                                  {users.begin(), users.end()});
        while (rows->next()) {
            all.find(rows->text(0))
                ->second.push_back({std::string(rows->text(1)), std::string(rows->text(2))});
        }
        for (auto& [user, memberships] : all) {
            std::sort(memberships.begin(), memberships.end(),
                      [](const MemberOf& a, const MemberOf& b) {
                          return a.organization < b.organization;
                      });
            sink_.put_memberships(user, memberships);
        }
    }

    Session& session_;
    Sink& sink_;
    TokenReader tokens_;
    std::vector<std::string> gone_organizations_;
};

// Each engine has its own quickest way to all tokens in the order of their digests. SQLite: sorted,
// rather than by the index, which would read the table at random; users that are missing are found
// in the order of two indexes. PostgreSQL: joined, as a set might not fit its memory.
std::string select_all_tokens(Engine engine) {
    const std::string columns = select_list(TokenPart::stored);
    if (engine == Engine::sqlite) {
        return fmt::format(
            "SELECT {}, CASE WHEN t.user_id IN (SELECT s.user_id FROM tokens s LEFT JOIN users u "
            "ON u.id = s.user_id WHERE u.id IS NULL) OR (t.organization IS NOT NULL AND "
            "t.organization NOT IN (SELECT id FROM organizations)) THEN 2 "
            "WHEN t.user_id IN (SELECT id FROM users WHERE disabled = 1) THEN 1 ELSE 0 END, {} "
            "FROM tokens t ORDER BY +t.digest",
            columns, memberships_of_user(engine));
    }
    return fmt::format(
        "SELECT {}, {}, m.list FROM tokens t {} LEFT JOIN (SELECT user_id, string_agg(organization "
        "|| ' ' || role, ',' ORDER BY "
        "organization) AS list FROM (SELECT user_id, organization, role, row_number() OVER "
        "(PARTITION BY user_id ORDER BY organization) AS number FROM ({}) AS sound) AS numbered "
        "WHERE number <= {} GROUP BY user_id) m ON m.user_id = t.user_id AND t.kind = 'user' "
        "ORDER BY t.digest",
        columns, owner_state, join_owners, sound_memberships, memberships_max + 1);
}

// Of users with more memberships than a token's record holds.
void read_many_memberships(Session& session, Sink& sink) {
    const auto rows = session.copy(fmt::format(
        "SELECT user_id, organization, role FROM ({0}) AS sound WHERE user_id IN (SELECT user_id "
        "FROM ({0}) AS counted GROUP BY user_id HAVING count(*) > {1}) ORDER BY user_id, "
        "organization",
        sound_memberships, memberships_max));
    std::string user;
    std::vector<MemberOf> all;
    const auto give = [&] {
        if (!all.empty()) {
            sink.put_memberships(user, all);
        }
        all.clear();
    };
    while (rows->next()) {
        if (rows->text(0) != user) {
            give();
            user = rows->text(0);
        }
        all.push_back({std::string(rows->text(1)), std::string(rows->text(2))});
    }
    give();
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

std::vector<Fate> fates_of(Session& session, const std::vector<HeldToken>& tokens, bool trail) {
    std::vector<std::string_view> ids;
    for (const HeldToken& token : tokens) {
        ids.emplace_back(token.id);
    }
    const std::string list = session.list(ids);
    std::unordered_map<std::string, std::string> digests;
    std::unordered_set<std::string> removed;
    const auto present = session.query(
        fmt::format("SELECT id, digest FROM tokens WHERE id {}", session.in_list()), {list});
    while (present->next()) {
        digests.emplace(present->text(0), present->text(1));
    }
    if (trail) {
        const auto rows = session.query(
            fmt::format("SELECT key FROM audit WHERE seq IN (SELECT max(seq) FROM audit WHERE "
                        "entity = 'token' AND key {} GROUP BY key) AND action IN ('{}', '{}')",
                        session.in_list(), removal_action, set_aside_action),
            {list});
        while (rows->next()) {
            removed.emplace(rows->text(0));
        }
    }
    std::vector<Fate> fates;
    for (const HeldToken& token : tokens) {
        const auto found = digests.find(token.id);
        fates.push_back(found != digests.end() && found->second != to_hex(token.digest)
                            ? Fate::rekeyed
                        : found == digests.end() && removed.contains(token.id) ? Fate::removed
                                                                               : Fate::lost);
    }
    return fates;
}

void read_all(Session& session, Sink& sink) {
    const auto each = [&](std::string_view sql, const auto& put) {
        const auto rows = session.copy(sql);
        while (rows->next()) {
            put(*rows);
        }
    };
    each("SELECT id, suspended FROM organizations ORDER BY id",
         [&](const Rows& row) { sink.put(organization_of(row)); });
    each("SELECT id, scopes FROM roles ORDER BY id",
         [&](const Rows& row) { sink.put(role_of(row)); });
    TokenReader tokens(session.location());
    each(select_all_tokens(session.engine()), [&](const Rows& row) {
        if (!tokens.is_orphan(row)) {
            sink.put(tokens.read(row));
        }
    });
    read_many_memberships(session, sink);
}

}  // namespace token_auth::registry
