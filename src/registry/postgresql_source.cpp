#include "registry/postgresql_source.hpp"

#include <fmt/core.h>

#include <charconv>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cli/error.hpp"
#include "registry/postgresql.hpp"
#include "registry/stored_token.hpp"
#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

using Columns = std::span<const std::string_view>;

// How often a registry is looked at that announces nothing.
constexpr std::chrono::milliseconds poll_interval{50};
constexpr std::size_t keys_per_query = 5000;
// Rows by which a position is recognised; see PostgresqlPosition.
constexpr int anchor_rows = 64;

constexpr const char* begin_snapshot =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
    "SELECT pg_current_snapshot()::text, pg_is_in_recovery(), "
    "(SELECT pruned_below FROM token_auth.log_state)";

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

// What the log says has changed, by entity.
struct Keys {
    std::vector<std::string> memberships;
    std::vector<std::string> organizations;
    std::vector<std::string> roles;
    std::vector<std::string> tokens;
    std::vector<std::string> users;
    bool everything = false;  // a table was truncated
    bool any = false;
};

// Reads entities by their keys, as they are in the transaction's snapshot.
class EntityReader {
  public:
    EntityReader(Link& link, const Location& location, Sink& sink)
        : link_(link), location_(location), sink_(sink) {}

    void read(const Keys& keys) {
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
                if (const auto bytes = from_hex(digest)) {
                    sink_.gone_token(*bytes);
                }
            });
    }

    void memberships(const std::vector<std::string>& keys) {
        const auto parts = [&](const std::string& key) {
            const std::size_t space = key.find(' ');
            if (space == std::string::npos) {
                throw cli::Error(fmt::format(
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

// Streams everything, in the order of the store's keys.
void read_all(Link& link, const Location& location, Sink& sink) {
    // Sorted on the server; the memory is its, for as long as this lasts.
    link.run("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off");
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

}  // namespace

struct PostgresqlSource::Session {
    Session(const Location& location, int stop_fd) : link(location, stop_fd) {
        learn_registry(location);
        learn_cluster();
        listen();
    }

    void learn_registry(const Location& location) {
        const Rows meta = link.run(
            "SELECT (SELECT value FROM token_auth.meta WHERE name = 'schema_version'), "
            "(SELECT value FROM token_auth.meta WHERE name = 'registry_id')");
        postgresql::require_known(location, link.server_version(), std::string(meta.at(0, 0)));
        registry_id = meta.at(0, 1);
        if (registry_id.empty()) {
            throw cli::Error(fmt::format(
                "registry {}: its meta table has no registry_id; restore it from a backup",
                location.shown));
        }
    }

    void learn_cluster() {
        try {
            const Rows control = link.run(
                "SELECT system_identifier || '-' || timeline_id "
                "FROM pg_control_system(), pg_control_checkpoint()");
            cluster = control.at(0, 0);
        } catch (const cli::Error&) {
            cluster = "-";  // not every service lets that be asked; the anchor has to do
        }
    }

    void listen() {
        // A pooler hands the connection to somebody else as soon as it is idle, and what is
        // announced then is lost.
        const Rows pid = link.run("SELECT pg_backend_pid()");
        if (number<int>(pid.at(0, 0)) != link.backend_pid()) {
            return;
        }
        try {
            link.run("LISTEN token_auth");
            announced = true;
        } catch (const cli::Error&) {
            // a replica
        }
    }

    // Begins the transaction of one sync; the position of all that its snapshot sees.
    PostgresqlPosition begin() {
        const Rows state = link.run(begin_snapshot);
        pruned_below = number<std::uint64_t>(state.at(0, 2));
        PostgresqlPosition now;
        now.cluster = cluster;
        now.snapshot = state.at(0, 0);
        // A replica's snapshots do not list what is under way.
        now.snapshot = state.at(0, 1) == "t"
                           ? floor_of(now.snapshot)
                           : shortened(now.snapshot, position_max - 64 - cluster.size());
        return now;
    }

    // `seq` and `sum` of the last rows up to number `up_to` that the snapshot sees.
    std::pair<std::string, std::string> anchor(const std::string& snapshot,
                                               const std::string& up_to) {
        const Rows last = link.run(
            fmt::format("SELECT coalesce(max(seq), 0), coalesce(sum(mark), 0) FROM (SELECT seq, "
                        "mark FROM token_auth.changes WHERE seq <= $1::bigint AND "
                        "pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY seq DESC LIMIT {}) "
                        "AS last",
                        anchor_rows),
            {up_to, snapshot});
        return {std::string(last.at(0, 0)), std::string(last.at(0, 1))};
    }

    // Whether the log has everything after the position. While a connection lasts, the registry
    // cannot be exchanged for an older one.
    bool in_log(const std::string& text, const PostgresqlPosition& position) {
        return number<std::uint64_t>(snapshot_xmin(position.snapshot)) >= pruned_below &&
               (text == reached ||
                (position.cluster == cluster &&
                 anchor(position.snapshot, position.seq) == std::pair(position.seq, position.sum)));
    }

    Keys keys_after(const PostgresqlPosition& position, const Location& location) {
        const Rows log = link.run(
            "SELECT DISTINCT entity, key FROM token_auth.changes WHERE xid >= $1::xid8 AND "
            "NOT pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY entity, key",
            {std::string(snapshot_xmin(position.snapshot)), position.snapshot});
        Keys keys;
        keys.any = log.size() > 0;
        for (int row = 0; row < log.size(); ++row) {
            const std::string_view entity = log.at(row, 0);
            std::vector<std::string>* const list = entity == "token"          ? &keys.tokens
                                                   : entity == "membership"   ? &keys.memberships
                                                   : entity == "organization" ? &keys.organizations
                                                   : entity == "role"         ? &keys.roles
                                                   : entity == "user"         ? &keys.users
                                                                              : nullptr;
            if (list != nullptr) {
                list->emplace_back(log.at(row, 1));
            } else if (entity == "everything") {
                keys.everything = true;
            } else {
                throw cli::Error(
                    fmt::format("registry {}: its change log names something unknown to this "
                                "tokensync; use programs of one release",
                                location.shown));
            }
        }
        return keys;
    }

    // Ends it, where nothing went wrong; the position as the store is to keep it.
    std::string end(PostgresqlPosition now) {
        std::tie(now.seq, now.sum) = anchor(now.snapshot, std::to_string(INT64_MAX));
        return end(format(now));
    }
    std::string end(std::string position) {
        link.run("COMMIT");
        reached = position;
        return position;
    }

    Link link;
    std::string registry_id;
    std::string cluster;
    bool announced = false;
    std::uint64_t pruned_below = 0;
    std::string reached;  // the position given last over this connection
};

PostgresqlSource::PostgresqlSource(Location location) : location_(std::move(location)) {}
PostgresqlSource::~PostgresqlSource() = default;

PostgresqlSource::Session& PostgresqlSource::session() {
    if (!session_) {
        session_ = std::make_unique<Session>(location_, stop_fd_);
    }
    return *session_;
}

template <typename Body>
auto PostgresqlSource::with_session(const Body& body) {
    try {
        return body(session());
    } catch (...) {
        session_.reset();
        throw;
    }
}

std::string PostgresqlSource::identity() {
    return with_session([](Session& session) { return session.registry_id; });
}

std::uint64_t PostgresqlSource::token_count() {
    return with_session([](Session& session) {
        return number<std::uint64_t>(
            session.link.run("SELECT count(*) FROM token_auth.tokens").at(0, 0));
    });
}

std::optional<std::string> PostgresqlSource::changes(const std::string& position, Sink& sink) {
    return with_session([&](Session& session) -> std::optional<std::string> {
        const auto from = parse_postgresql_position(position);
        if (!from) {
            return std::nullopt;
        }
        const PostgresqlPosition now = session.begin();
        if (!session.in_log(position, *from)) {
            session.link.run("ROLLBACK");
            return std::nullopt;
        }
        const Keys keys = session.keys_after(*from, location_);
        if (!keys.any) {
            return session.end(position);
        }
        if (keys.everything) {
            session.link.run("ROLLBACK");
            return std::nullopt;
        }
        EntityReader(session.link, location_, sink).read(keys);
        return session.end(now);
    });
}

std::string PostgresqlSource::all(Sink& sink) {
    return with_session([&](Session& session) {
        PostgresqlPosition now = session.begin();
        read_all(session.link, location_, sink);
        return session.end(std::move(now));
    });
}

bool PostgresqlSource::no_change_between(const std::string& position, const std::string& latest) {
    return position == latest || with_session([&](Session& session) {
               const auto from = parse_postgresql_position(position);
               const auto to = parse_postgresql_position(latest);
               if (!from || !to || from->cluster != to->cluster) {
                   return false;
               }
               const Rows between = session.link.run(
                   "SELECT EXISTS (SELECT 1 FROM token_auth.changes WHERE xid >= $1::xid8 AND "
                   "pg_visible_in_snapshot(xid, $3::pg_snapshot) AND "
                   "NOT pg_visible_in_snapshot(xid, $2::pg_snapshot))",
                   {std::string(snapshot_xmin(from->snapshot)), from->snapshot, to->snapshot});
               return between.at(0, 0) == "f";
           });
}

void PostgresqlSource::wait(std::chrono::milliseconds timeout, int /*stop_fd*/) {
    with_session([&](Session& session) {
        if (session.announced) {
            session.link.notified(timeout);
            return;
        }
        const auto from = parse_postgresql_position(session.reached);
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                return;
            }
            session.link.notified(std::min(left, poll_interval));
            if (!from) {
                return;
            }
            const Rows newer = session.link.run(
                "SELECT EXISTS (SELECT 1 FROM token_auth.changes WHERE xid >= $1::xid8 AND "
                "NOT pg_visible_in_snapshot(xid, $2::pg_snapshot))",
                {std::string(snapshot_xmin(from->snapshot)), from->snapshot});
            if (newer.at(0, 0) == "t") {
                return;
            }
        }
    });
}

}  // namespace token_auth::registry
