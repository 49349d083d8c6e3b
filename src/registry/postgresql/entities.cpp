#include "registry/postgresql/entities.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/error.hpp"
#include "registry/stored_token.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

using Columns = std::span<const std::string_view>;

constexpr std::size_t keys_per_query = 5000;

// The columns of StoredToken, for take_token(); `t` are the tokens, `d` the disabled users.
constexpr const char* token_columns =
    "t.id, t.digest, t.key_id, t.kind, t.user_id, coalesce(t.organization, ''), "
    "coalesce(t.group_id, ''), coalesce(t.role, ''), t.scopes, t.name, t.allow, t.not_before, "
    "t.expires_at, t.revoked_at, CASE WHEN d.id IS NULL THEN 0 ELSE 1 END";
constexpr const char* token_tables =
    "token_auth.tokens t LEFT JOIN (SELECT id FROM token_auth.users WHERE disabled = 1) d "
    "ON d.id = t.user_id";

template <typename Number>
Number number(std::string_view text) {
    Number value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

const Token& take_token(StoredToken& into, Columns columns, const Location& location) {
    into.token.id = columns[0];
    into.digest = columns[1];
    into.key_id = number<long long>(columns[2]);
    into.kind = columns[3];
    into.token.user = columns[4];
    into.token.organization = columns[5];
    into.token.group = columns[6];
    into.token.role = columns[7];
    into.scopes = columns[8];
    into.token.name = columns[9];
    into.allow = columns[10];
    into.not_before = number<long long>(columns[11]);
    into.expires = number<long long>(columns[12]);
    into.revoked = number<long long>(columns[13]);
    into.user_disabled = number<int>(columns[14]);
    return into.complete(location);
}

// Reads entities by their keys, as they are in the transaction's snapshot.
class EntityReader {
  public:
    EntityReader(Link& link, const Location& location, Sink& sink)
        : link_(link), location_(location), sink_(sink) {}

    void read(const ChangedKeys& keys) {
        memberships(keys.memberships);
        by_key(
            keys.organizations,
            "SELECT id, suspended FROM token_auth.organizations WHERE id = ANY ($1::text[])",
            [&](Columns row) {
                Organization organization;
                organization.id = row[0];
                organization.suspended = row[1] != "0";
                sink_.put(organization);
            },
            [&](const std::string& id) { sink_.gone_organization(id); });
        by_key(
            keys.roles, "SELECT id, scopes FROM token_auth.roles WHERE id = ANY ($1::text[])",
            [&](Columns row) {
                sink_.put(Role{std::string(row[0]), split_words(row[1])});
            },
            [&](const std::string& id) { sink_.gone_role(id); });
        tokens(keys.tokens);
        by_key(
            keys.users,
            "SELECT id, disabled FROM token_auth.users "
            "WHERE id = ANY ($1::text[]) AND technical = 0",
            [&](Columns row) {
                User user;
                user.id = row[0];
                user.disabled = row[1] != "0";
                sink_.put(user);
            },
            [&](const std::string& id) { sink_.gone_user(id); });
        // An organization's token may act for a person, and then holds their state.
        chunks(keys.users, [&](std::span<const std::string_view> chunk) {
            rows(fmt::format("SELECT {} FROM {} WHERE t.user_id = ANY ($1::text[]) AND "
                             "t.kind <> 'user'",
                             token_columns, token_tables),
                 {text_array(chunk)},
                 [&](Columns row) { sink_.put(take_token(stored_, row, location_)); });
        });
    }

  private:
    template <typename Each>
    static void chunks(const std::vector<std::string>& keys, const Each& each) {
        std::vector<std::string_view> chunk;
        for (std::size_t at = 0; at < keys.size(); at += chunk.size()) {
            const std::size_t end = std::min(at + keys_per_query, keys.size());
            chunk.assign(keys.begin() + static_cast<std::ptrdiff_t>(at),
                         keys.begin() + static_cast<std::ptrdiff_t>(end));
            each(std::span<const std::string_view>(chunk));
        }
    }

    template <typename Each>
    void rows(const std::string& query, const std::vector<std::string>& parameters,
              const Each& each) {
        const Rows found = link_.run(query, parameters);
        std::vector<std::string_view> columns;
        for (int row = 0; row < found.size(); ++row) {
            columns.clear();
            for (int column = 0; column < found.columns(); ++column) {
                columns.push_back(found.at(row, column));
            }
            each(Columns(columns));
        }
    }

    // The first column is the key.
    template <typename Put, typename Gone>
    void by_key(const std::vector<std::string>& keys, const std::string& query, const Put& put,
                const Gone& gone) {
        chunks(keys, [&](std::span<const std::string_view> chunk) {
            std::unordered_set<std::string_view> missing(chunk.begin(), chunk.end());
            rows(query, {text_array(chunk)}, [&](Columns row) {
                missing.erase(row[0]);
                put(row);
            });
            for (const std::string_view key : missing) {
                gone(std::string(key));
            }
        });
    }

    void tokens(const std::vector<std::string>& digests) {
        by_key(
            digests,
            fmt::format("SELECT t.digest, {} FROM {} WHERE t.digest = ANY ($1::text[])",
                        token_columns, token_tables),
            [&](Columns row) { sink_.put(take_token(stored_, row.subspan(1), location_)); },
            [&](const std::string& digest) {
                // (in another spelling there is no such token, and may be one in this)
                if (const auto bytes = from_hex(digest); bytes && to_hex(*bytes) == digest) {
                    sink_.gone_token(*bytes);
                }
            });
    }

    void memberships(const std::vector<std::string>& keys) {
        const auto parts = [&](const std::string& key) {
            const std::size_t space = key.find(' ');
            if (space == std::string::npos) {
                throw base::Error(fmt::format(
                    "registry {}: its change log holds a membership that names no organization; "
                    "restore its triggers from the schema",
                    location_.shown));
            }
            return std::pair(key.substr(0, space), key.substr(space + 1));
        };
        by_key(
            keys,
            "SELECT k.key, m.user_id, m.organization, m.role FROM unnest($1::text[]) AS k (key) "
            "JOIN token_auth.memberships m ON m.user_id = split_part(k.key, ' ', 1) "
            "AND m.organization = substr(k.key, strpos(k.key, ' ') + 1)",
            [&](Columns row) {
                Membership membership;
                membership.user = row[1];
                membership.organization = row[2];
                membership.role = row[3];
                sink_.put(membership);
            },
            [&](const std::string& key) {
                const auto [user, organization] = parts(key);
                sink_.gone_membership(user, organization);
            });
    }

    Link& link_;
    const Location& location_;
    Sink& sink_;
    StoredToken stored_;
};

}  // namespace

void read_changed(Link& link, const Location& location, const ChangedKeys& keys, Sink& sink) {
    EntityReader(link, location, sink).read(keys);
}

void read_all(Link& link, const Location& location, Sink& sink) {
    // Sorted on the server; the memory is its, for as long as this lasts.
    link.run(
        "SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL statement_timeout = 0; "
        "SET LOCAL idle_in_transaction_session_timeout = 0");
    Membership membership;
    link.copy(
        "SELECT user_id, organization, role FROM token_auth.memberships "
        "ORDER BY user_id, organization",
        [&](Columns row) {
            membership.user = row[0];
            membership.organization = row[1];
            membership.role = row[2];
            sink.put(membership);
        });
    Organization organization;
    link.copy("SELECT id, suspended FROM token_auth.organizations ORDER BY id", [&](Columns row) {
        organization.id = row[0];
        organization.suspended = row[1] != "0";
        sink.put(organization);
    });
    link.copy("SELECT id, scopes FROM token_auth.roles ORDER BY id", [&](Columns row) {
        sink.put(Role{std::string(row[0]), split_words(row[1])});
    });
    StoredToken token;
    link.copy(fmt::format("SELECT {} FROM {} ORDER BY t.digest", token_columns, token_tables),
              [&](Columns row) { sink.put(take_token(token, row, location)); });
    User user;
    link.copy("SELECT id, disabled FROM token_auth.users WHERE technical = 0 ORDER BY id",
              [&](Columns row) {
                  user.id = row[0];
                  user.disabled = row[1] != "0";
                  sink.put(user);
              });
}

}  // namespace token_auth::registry
