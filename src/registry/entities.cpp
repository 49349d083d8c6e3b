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

#include "base/redact.hpp"
#include "base/text.hpp"
#include "registry/bad_row.hpp"
#include "registry/checks.hpp"
#include "registry/token_columns.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

constexpr std::size_t keys_per_query = 5000;

// What is wrong with a membership m, with organizations o joined by LEFT JOIN. One that is not
// sound counts as none.
enum MembershipState : std::int64_t {
    membership_sound = 0,
    membership_malformed = 1,
    membership_without_organization = 2,
    membership_in_bad_organization = 3,  // which is reported by itself
};
std::string membership_state(Engine engine) {
    return fmt::format(
        "CASE WHEN ({} AND {} AND {}) IS NOT TRUE THEN {} WHEN o.id IS NULL THEN {} "
        "WHEN (o.suspended IN (0, 1)) IS NOT TRUE THEN {} ELSE {} END",
        identifier_check(engine, "m.user_id"), identifier_check(engine, "m.organization"),
        identifier_check(engine, "m.role"), std::int64_t{membership_malformed},
        std::int64_t{membership_without_organization}, std::int64_t{membership_in_bad_organization},
        std::int64_t{membership_sound});
}
constexpr std::string_view join_organization =
    "memberships m LEFT JOIN organizations o ON o.id = m.organization";

std::string sound_memberships(Engine engine) {
    return fmt::format("SELECT m.user_id, m.organization, m.role FROM {} WHERE {} = {}",
                       join_organization, membership_state(engine), std::int64_t{membership_sound});
}

BadRow bad_membership_of(const Rows& row, std::int64_t state) {
    return bad_membership(std::string(row.text(0)), std::string(row.text(1)),
                          state == membership_malformed
                              ? "has a user, an organization or a role that is no identifier"
                              : "names an organization that is not there");
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

// The first sound memberships of the user of a token t.
std::string memberships_of_user(Engine engine) {
    return fmt::format(
        "CASE WHEN t.kind = 'user' THEN (SELECT {}(one, ',') FROM (SELECT sound.organization || ' "
        "' || sound.role AS one FROM ({} AND m.user_id = t.user_id ORDER BY m.organization LIMIT "
        "{}) AS sound) AS few) END",
        engine == Engine::sqlite ? "group_concat" : "string_agg", sound_memberships(engine),
        memberships_max + 1);
}

// What is known of those that a token belongs to, behind the columns of tokens t. SQL can remove
// them and leave the token: no store may hold it then.
enum OwnerState : std::int64_t {
    owner_active = 0,
    owner_disabled = 1,
    user_gone = 2,
    user_bad = 3,
    organization_gone = 4,
    organization_bad = 5,  // which is reported by itself
    group_gone = 6,
};
// With users u, organizations o and groups g joined by LEFT JOIN.
constexpr std::string_view owner_state =
    "CASE WHEN u.id IS NULL THEN 2 WHEN (u.disabled IN (0, 1)) IS NOT TRUE THEN 3 "
    "WHEN t.organization IS NOT NULL AND o.id IS NULL THEN 4 "
    "WHEN t.organization IS NOT NULL AND (o.suspended IN (0, 1)) IS NOT TRUE THEN 5 "
    "WHEN t.group_id IS NOT NULL AND g.id IS NULL THEN 6 ELSE u.disabled END";
constexpr std::string_view join_owners =
    "LEFT JOIN users u ON u.id = t.user_id LEFT JOIN organizations o ON o.id = t.organization "
    "LEFT JOIN org_groups g ON g.organization = t.organization AND g.id = t.group_id";

std::string owner_problem(const Token& token, std::int64_t state) {
    switch (state) {
        case user_gone:
            return "names a user that is not there";
        case user_bad:
            return fmt::format("is of a user ({}) whose row says neither disabled nor enabled",
                               is_identifier(token.user) ? token.user : base::quoted(token.user));
        case organization_gone:
            return "names an organization that is not there";
        case group_gone:
            return "names a group that is not there";
        default:
            return {};
    }
}

// Gives a sink tokens with their owners' state and their user's memberships.
class TokenReader {
  public:
    explicit TokenReader(Sink& sink) : sink_(sink) {}

    void give(const Rows& row) {
        std::string problem = read_columns(row, TokenPart::stored, token_);
        const std::int64_t owner = row.integer(columns_);
        if (problem.empty()) {
            problem = owner_problem(token_, owner);
        }
        if (problem.empty() && owner != organization_bad) {
            token_.user_disabled = owner == owner_disabled;
            read_memberships(row.text(columns_ + 1), token_.memberships);
            sink_.put(token_);
        } else {
            refuse(row, problem);
        }
    }

    static std::string_view key(const Rows& row) { return row.text(digest_column); }

  private:
    void refuse(const Rows& row, const std::string& problem) {
        BadRow bad = bad_token(token_, problem);
        if (bad.key == key(row)) {
            sink_.gone_token(token_.digest.bytes);
        } else {
            bad.key = key(row);
            if (!is_identifier(token_.id)) {
                bad.id = "(with an unreadable id and digest)";
                bad.name = "a token with an unreadable id and digest";
            }
        }
        if (!problem.empty()) {
            sink_.leave_out(bad);
        }
    }

    Sink& sink_;
    static constexpr int digest_column = 1;  // of the stored ones
    const int columns_ = column_count(TokenPart::stored);
    Token token_;  // millions are read into the same one
};

bool is_bad_organization(const Rows& row) {
    return !row.has_integer(1) || row.integer(1) < 0 || row.integer(1) > 1;
}

void give_organization(const Rows& row, Sink& sink) {
    const bool has_id = row.has_text(0);
    const std::string id(row.text(0));
    std::string problem = has_id ? identifier_problem(id, "an id") : "has no id";
    if (problem.empty() && is_bad_organization(row)) {
        problem = "says neither suspended nor active";
    }
    if (problem.empty()) {
        sink.put(Organization{id, row.integer(1) != 0, 0});
    } else {
        sink.gone_organization(id);
        sink.leave_out(bad_organization(id, problem));
    }
}

void give_role(const Rows& row, Sink& sink) {
    const bool is_typed = row.has_text(0) && row.has_text(1);
    Role role{std::string(row.text(0)), {}};
    if (is_typed) {
        role.scopes = split_words(row.text(1));
        sink.put(role);
    } else {
        sink.gone_role(role.id);
        sink.leave_out(bad_role(role.id, "has no id, or no scopes"));
    }
}

// Reads entities by their keys.
class EntityReader {
  public:
    EntityReader(Session& session, Sink& sink) : session_(session), sink_(sink), tokens_(sink) {}

    void read(const ChangedKeys& keys) {
        by_key(
            "organization", keys.organizations, "SELECT id, suspended FROM organizations WHERE id",
            [&](const Rows& row) { give_organization(row, sink_); },
            [&](const std::string& id) { sink_.gone_organization(id); });
        by_key(
            "role", keys.roles, "SELECT id, scopes FROM roles WHERE id",
            [&](const Rows& row) { give_role(row, sink_); },
            [&](const std::string& id) { sink_.gone_role(id); });
        tokens(keys.tokens);
        put_tokens("t.organization", reread_);
        users(keys);
    }

  private:
    // What SQLite's way to hand a list over would change: a key that is one goes by itself.
    static bool is_odd(std::string_view key) { return !base::is_utf8(key); }

    template <typename Each>
    static void chunks(const std::vector<std::string>& keys, const Each& each) {
        std::span<const std::string> left(keys);
        while (!left.empty()) {
            const auto odd = std::find_if(left.begin(), left.end(), is_odd);
            const std::size_t plain = static_cast<std::size_t>(odd - left.begin());
            const auto chunk =
                left.first(plain == 0 ? 1 : std::min({keys_per_query, left.size(), plain}));
            each(chunk);
            left = left.subspan(chunk.size());
        }
    }

    // (In SQLite any column may hold a blob.)
    std::unique_ptr<Rows> rows_of(const std::string& sql_until_key,
                                  const std::vector<std::string_view>& keys) {
        if (keys.size() == 1) {
            return session_.query(
                fmt::format(
                    "{} {}", sql_until_key,
                    session_.engine() == Engine::sqlite ? "IN ($1, CAST($1 AS BLOB))" : "= $1"),
                {keys.front()});
        }
        return session_.query(fmt::format("{} {}", sql_until_key, session_.in_list()),
                              {session_.list(keys)});
    }

    // The first column is the key. Organizations that are gone, bad, or were, are kept.
    template <typename Put, typename Gone>
    void by_key(std::string_view entity, const std::vector<std::string>& keys,
                const std::string& sql_until_key, const Put& put, const Gone& gone) {
        chunks(keys, [&](std::span<const std::string> chunk) {
            std::unordered_set<std::string_view> missing(chunk.begin(), chunk.end());
            for (const std::string& key : chunk) {
                if (sink_.changed(entity, key) && entity == "organization") {
                    reread_.push_back(key);
                }
            }
            const auto rows = rows_of(sql_until_key, {chunk.begin(), chunk.end()});
            while (rows->next()) {
                put(*rows);
                missing.erase(rows->text(0));
                if (entity == "organization" && is_bad_organization(*rows)) {
                    reread_.emplace_back(rows->text(0));
                }
            }
            for (const std::string_view key : missing) {
                gone(std::string(key));
                if (entity == "organization") {
                    reread_.emplace_back(key);
                }
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
            for (const std::string& digest : chunk) {
                sink_.changed("token", digest);
            }
            const auto rows =
                rows_of(select_tokens() + " WHERE t.digest", {chunk.begin(), chunk.end()});
            while (rows->next()) {
                tokens_.give(*rows);
                missing.erase(std::string(TokenReader::key(*rows)));
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
                tokens_.give(*rows);
                sink_.changed("token", std::string(TokenReader::key(*rows)));
            }
        });
    }

    // A user's tokens hold their state and memberships.
    void users(const ChangedKeys& keys) {
        std::set<std::string> changed(keys.users.begin(), keys.users.end());
        chunks(reread_, [&](std::span<const std::string> chunk) {
            const auto rows = rows_of("SELECT user_id FROM memberships WHERE organization",
                                      {chunk.begin(), chunk.end()});
            while (rows->next()) {
                changed.emplace(rows->text(0));
            }
        });
        for (const std::string& key : keys.memberships) {
            sink_.changed("membership", key);
            // One of the two may hold spaces, if it is no identifier.
            changed.insert(key.substr(0, key.find(' ')));
            changed.insert(key.substr(0, key.rfind(' ')));
        }
        const std::vector<std::string> users(changed.begin(), changed.end());
        for (const std::string& user : users) {
            sink_.changed("user", user);
        }
        chunks(users, [&](std::span<const std::string> chunk) { memberships(chunk); });
        put_tokens("t.user_id", users);
    }

    void memberships(std::span<const std::string> users) {
        std::map<std::string, std::vector<MemberOf>, std::less<>> all;
        for (const std::string& user : users) {
            all[user];
        }
        const auto rows =
            rows_of(fmt::format("SELECT m.user_id, m.organization, m.role, {} FROM {} WHERE "
                                "m.user_id",
                                membership_state(session_.engine()), join_organization),
                    {users.begin(), users.end()});
        while (rows->next()) {
            const std::int64_t state = rows->integer(3);
            sink_.changed("membership", membership_key(rows->text(0), rows->text(1)));
            if (state == membership_sound) {
                all.find(rows->text(0))
                    ->second.push_back({std::string(rows->text(1)), std::string(rows->text(2))});
            } else if (state != membership_in_bad_organization) {
                sink_.leave_out(bad_membership_of(*rows, state));
            }
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
    // Organizations that are gone, bad, or were bad: whose tokens and members change with them.
    std::vector<std::string> reread_;
};

// Each engine has its own quickest way to all tokens in the order of their digests. SQLite: sorted,
// rather than by the index, which would read the table at random; users that are missing are found
// in the order of two indexes. PostgreSQL: joined, as a set might not fit its memory.
std::string select_all_tokens(Engine engine) {
    const std::string columns = select_list(TokenPart::stored);
    if (engine == Engine::sqlite) {
        return fmt::format(
            "SELECT {}, CASE WHEN t.user_id IN (SELECT s.user_id FROM tokens s LEFT JOIN users u "
            "ON u.id = s.user_id WHERE u.id IS NULL) THEN 2 "
            "WHEN t.user_id IN (SELECT id FROM users WHERE (disabled IN (0, 1)) IS NOT TRUE) "
            "THEN 3 WHEN t.organization IS NOT NULL AND (t.organization IN (SELECT id FROM "
            "organizations)) IS NOT TRUE THEN 4 WHEN t.organization IN (SELECT id FROM "
            "organizations WHERE (suspended IN (0, 1)) IS NOT TRUE) THEN 5 "
            "WHEN t.group_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM org_groups g WHERE "
            "g.organization = t.organization AND g.id = t.group_id) THEN 6 "
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
        columns, owner_state, join_owners, sound_memberships(engine), memberships_max + 1);
}

// Of users with more memberships than a token's record holds.
void read_many_memberships(Session& session, Sink& sink) {
    const auto rows = session.copy(fmt::format(
        "SELECT user_id, organization, role FROM ({0}) AS sound WHERE user_id IN (SELECT user_id "
        "FROM ({0}) AS counted GROUP BY user_id HAVING count(*) > {1}) ORDER BY user_id, "
        "organization",
        sound_memberships(session.engine()), memberships_max));
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

void read_bad_memberships(Session& session, Sink& sink) {
    const auto rows = session.copy(fmt::format(
        "SELECT user_id, organization, role, state FROM (SELECT m.user_id, m.organization, m.role, "
        "{} AS state FROM {}) AS judged WHERE state IN ({}, {})",
        membership_state(session.engine()), join_organization, std::int64_t{membership_malformed},
        std::int64_t{membership_without_organization}));
    while (rows->next()) {
        sink.leave_out(bad_membership_of(*rows, rows->integer(3)));
    }
}

}  // namespace

bool ChangedKeys::empty() const {
    return memberships.empty() && organizations.empty() && roles.empty() && tokens.empty() &&
           users.empty();
}

std::optional<ChangedKeys> changed_keys(Rows& log) {
    ChangedKeys keys;
    for (int count = 1; log.next(); ++count) {
        const std::string_view entity = log.text(0);
        std::vector<std::string>* const list = entity == "token"          ? &keys.tokens
                                               : entity == "membership"   ? &keys.memberships
                                               : entity == "organization" ? &keys.organizations
                                               : entity == "role"         ? &keys.roles
                                               : entity == "user"         ? &keys.users
                                                                          : nullptr;
        // "everything", or what somebody else wrote into the log
        if (count > changed_keys_max || list == nullptr) {
            return std::nullopt;
        }
        list->emplace_back(log.text(1));
    }
    return keys;
}

void read_changed(Session& session, const ChangedKeys& keys, Sink& sink) {
    EntityReader(session, sink).read(keys);
}

namespace {

// Those of the tokens' users that are.
std::unordered_set<std::string> disabled(Session& session, const std::vector<HeldToken>& tokens) {
    std::vector<std::string_view> users;
    for (const HeldToken& token : tokens) {
        users.emplace_back(token.user);
    }
    std::unordered_set<std::string> found;
    const auto rows = session.query(
        fmt::format("SELECT id FROM users WHERE disabled = 1 AND id {}", session.in_list()),
        {session.list(users)});
    while (rows->next()) {
        found.emplace(rows->text(0));
    }
    return found;
}

// The last removal of each organization, group and user that tokens belong to: its number in the
// audit trail, by "organization acme" and the like.
std::unordered_map<std::string, std::int64_t> owner_removals(Session& session,
                                                             const std::vector<HeldToken>& tokens) {
    std::unordered_set<std::string> owners;
    for (const HeldToken& token : tokens) {
        owners.insert({token.user, token.organization, token.organization + "/" + token.group});
    }
    std::unordered_map<std::string, std::int64_t> found;
    const auto rows = session.query(
        fmt::format("SELECT entity, key, max(seq) FROM audit WHERE entity IN ('organization', "
                    "'group', 'user') AND key {} AND action = 'remove' GROUP BY entity, key",
                    session.in_list()),
        {session.list({owners.begin(), owners.end()})});
    while (rows->next()) {
        found.emplace(fmt::format("{} {}", rows->text(0), rows->text(1)), rows->integer(2));
    }
    return found;
}

// Those that the audit trail says were removed on purpose, if the registry does not have them.
std::unordered_set<std::string> removed_on_purpose(Session& session,
                                                   const std::vector<HeldToken>& tokens,
                                                   const std::string& ids) {
    std::unordered_map<std::string, std::int64_t> last;
    std::unordered_set<std::string> found;
    const auto rows = session.query(
        fmt::format("SELECT key, seq, action FROM audit WHERE seq IN (SELECT max(seq) FROM audit "
                    "WHERE entity = 'token' AND key {} GROUP BY key)",
                    session.in_list()),
        {ids});
    while (rows->next()) {
        last.emplace(rows->text(0), rows->integer(1));
        if (rows->text(2) == removal_action || rows->text(2) == set_aside_action) {
            found.emplace(rows->text(0));
        }
    }
    const auto removals = owner_removals(session, tokens);
    for (const HeldToken& token : tokens) {
        for (const std::string& owner :
             {"user " + token.user, "organization " + token.organization,
              fmt::format("group {}/{}", token.organization, token.group)}) {
            const auto removal = removals.find(owner);
            const auto own = last.find(token.id);
            if (removal != removals.end() && (own == last.end() || own->second < removal->second)) {
                found.insert(token.id);
            }
        }
    }
    return found;
}

}  // namespace

std::vector<Fate> fates_of(Session& session, const std::vector<HeldToken>& tokens, bool trail) {
    std::vector<std::string_view> ids;
    for (const HeldToken& token : tokens) {
        ids.emplace_back(token.id);
    }
    const std::string list = session.list(ids);
    std::unordered_map<std::string, std::string> digests;
    std::unordered_set<std::string> refused;
    const auto present = session.query(
        fmt::format("SELECT t.id, t.digest, CASE WHEN t.revoked_at <> 0 OR u.disabled = 1 THEN 1 "
                    "ELSE 0 END FROM tokens t LEFT JOIN users u ON u.id = t.user_id WHERE t.id {}",
                    session.in_list()),
        {list});
    while (present->next()) {
        digests.emplace(present->text(0), present->text(1));
        if (present->integer(2) != 0) {
            refused.emplace(present->text(0));
        }
    }
    const auto disabled_users = disabled(session, tokens);
    const auto removed =
        trail ? removed_on_purpose(session, tokens, list) : std::unordered_set<std::string>{};
    std::vector<Fate> fates;
    for (const HeldToken& token : tokens) {
        const auto found = digests.find(token.id);
        const bool is_there = found != digests.end();
        fates.push_back(is_there && found->second != to_hex(token.digest) ? Fate::rekeyed
                        : !is_there && removed.contains(token.id)         ? Fate::removed
                        : refused.contains(token.id) || disabled_users.contains(token.user)
                            ? Fate::refused
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
         [&](const Rows& row) { give_organization(row, sink); });
    each("SELECT id, scopes FROM roles ORDER BY id",
         [&](const Rows& row) { give_role(row, sink); });
    TokenReader tokens(sink);
    each(select_all_tokens(session.engine()), [&](const Rows& row) { tokens.give(row); });
    read_many_memberships(session, sink);
    read_bad_memberships(session, sink);
}

}  // namespace token_auth::registry
