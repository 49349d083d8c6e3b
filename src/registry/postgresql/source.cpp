#include "registry/postgresql/source.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/entities.hpp"
#include "registry/postgresql/pg_connection.hpp"
#include "registry/postgresql/position.hpp"
#include "registry/version.hpp"
#include "token_auth/record.hpp"

namespace token_auth::registry {
namespace {

using postgresql::PgConnection;

// How often a registry is looked at that announces nothing.
constexpr std::chrono::milliseconds poll_interval{50};
// Rows by which a position is recognised; see PostgresqlPosition.
constexpr int last_rows = 64;
constexpr int first_rows = 500;
// A server that stays silent for this long is gone.
constexpr std::chrono::seconds statement_patience{60};

// The tables are locked before the snapshot is taken: TRUNCATE goes by no snapshot, and would show
// a table as empty that was refilled in the same transaction. What takes long gives up somewhat
// before this side does, so that no server process is left waiting.
constexpr const char* lock_tables =
    "SET LOCAL search_path = token_auth, pg_temp; "
    "SET LOCAL lock_timeout = '50s'; SET LOCAL statement_timeout = '55s'; "
    "LOCK TABLE meta, changes, log_state, roles, organizations, org_groups, users, memberships, "
    "tokens "
    "IN ACCESS SHARE MODE";
constexpr const char* snapshot_state =
    "SELECT pg_current_snapshot()::text, pg_is_in_recovery(), (SELECT pruned_below FROM "
    "log_state), (SELECT value FROM meta WHERE name = 'registry_id'), "
    "(SELECT value FROM meta WHERE name = 'schema_version')";

// A full load is sorted on the server, in its memory, for as long as it takes.
constexpr const char* prepare_full_load =
    "SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL statement_timeout = 0";

constexpr const char* cluster_and_place =
    "SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || "
    "(SELECT timeline_id FROM pg_control_checkpoint()), "
    "coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_flush_lsn() END, '0/0'), 0)";

// Rows of the log that a position has not seen: those that its snapshot does not see, and those
// behind the last one that it saw. (A server that crashed gives out numbers of transactions again
// that had ended without leaving anything; a snapshot from before would see the new ones.)
constexpr const char* unseen_rows =
    "SELECT xid, entity, key FROM token_auth.changes WHERE xid >= $1::xid8 AND "
    "NOT pg_visible_in_snapshot(xid, $2::pg_snapshot) "
    "UNION ALL SELECT xid, entity, key FROM token_auth.changes WHERE seq > $3::bigint";

Values parameters_of(const PostgresqlPosition& position) {
    return {snapshot_xmin(position.snapshot), position.snapshot, position.seq};
}

constexpr auto number = base::number_of<std::uint64_t>;

}  // namespace

struct PostgresqlSource::Server {
    Server(const Location& location, int stop_fd)
        : connection(location, stop_fd, statement_patience) {
        connection.require_server();
        owned = connection.claim_session();
        require_version(location, connection.version(), oldest_readable_schema);
        connection.read([&] { registry_id = connection.registry_id(); });
        learn_place();
        listen();
    }

    // Which functions the server has, outside a transaction that a missing one would end.
    void learn_place() {
        try {
            connection.query(cluster_and_place);
            tells_place = true;
        } catch (const SqlError&) {
            // not every service lets that be asked; the anchor has to do
        }
    }

    void listen() {
        if (!owned) {
            return;  // what is announced to a pooler is lost
        }
        try {
            connection.run("LISTEN token_auth");
            announced = true;
        } catch (const SqlError&) {
            // a replica
        }
    }

    // Begins the transaction of one sync; the position of all that its snapshot sees.
    PostgresqlPosition begin() {
        connection.begin_snapshot(lock_tables);
        const auto state = connection.query(snapshot_state);
        state->next();
        // It may have become one of a newer release since this connected.
        require_version(connection.location(), state->integer(4), oldest_readable_schema);
        if (state->text(3) != registry_id) {
            throw base::Error(
                fmt::format("registry {}: another one was put in its place; trying again with that",
                            connection.location().shown));
        }
        PostgresqlPosition now;
        now.cluster = "-";
        now.place = "0";
        if (tells_place) {
            const auto place = connection.query(cluster_and_place);
            place->next();
            now.cluster = place->text(0);
            now.place = place->text(1);
        }
        now.snapshot = state->text(0);
        pruned_below = number(state->text(2));
        if (pruned_below > snapshot_xmax(now.snapshot)) {
            pruned_below = 0;  // by the counting of the cluster that this was restored from
        }
        replica = state->text(1) == "t";
        // A replica's snapshots do not list what is under way.
        now.snapshot = replica ? floor_of(now.snapshot)
                               : shortened(now.snapshot, position_max - 120 - now.cluster.size());
        return now;
    }

    // `seq` and `sum` of the rows up to number `up_to` that the position is recognised by.
    std::pair<std::string, std::string> anchor(const PostgresqlPosition& position,
                                               const std::string& up_to) {
        const auto last = connection.query(
            fmt::format("SELECT coalesce(max(seq), 0), coalesce(sum(mark), 0) FROM ("
                        "(SELECT seq, mark FROM token_auth.changes WHERE seq <= $1::bigint AND "
                        "pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY seq DESC LIMIT {}) "
                        "UNION ALL "
                        "(SELECT seq, mark FROM token_auth.changes WHERE seq <= $1::bigint AND "
                        "xid >= $3::xid8 AND pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY "
                        "xid, seq LIMIT {})) AS rows",
                        last_rows, first_rows),
            {up_to, position.snapshot, position.base});
        last->next();
        return {std::string(last->text(0)), std::string(last->text(1))};
    }

    // Whether the log has everything after the position, and the position is of this log.
    bool in_log(const PostgresqlPosition& position, const PostgresqlPosition& now) {
        if (position.cluster != now.cluster) {
            return false;
        }
        if (number(now.place) < number(position.place)) {
            if (replica) {
                throw base::Error(fmt::format(
                    "registry {}: this replica is behind what the store holds already; waiting for "
                    "it, or name another server",
                    connection.location().shown));
            }
            return false;
        }
        return number(snapshot_xmin(position.snapshot)) >= pruned_below &&
               anchor(position, position.seq) == std::pair(position.seq, position.sum);
    }

    std::optional<ChangedKeys> keys_after(const PostgresqlPosition& position) {
        const auto log =
            connection.query(fmt::format("SELECT DISTINCT entity, key FROM ({}) AS unseen LIMIT {}",
                                         unseen_rows, changed_keys_max + 1),
                             parameters_of(position));
        return changed_keys(*log);
    }

    // Ends it, if nothing went wrong; the position as the store is to keep it.
    std::string end(PostgresqlPosition now) {
        std::tie(now.seq, now.sum) = anchor(now, std::to_string(INT64_MAX));
        return end(format(now));
    }
    std::string end(std::string position) {
        connection.commit();
        reached = position;
        return position;
    }

    PgConnection connection;
    std::string registry_id;
    bool owned = false;        // the session is, by no pooler
    bool tells_place = false;  // which cluster it is, and how far its log is
    bool announced = false;
    bool tells_waiting = false;
    bool replica = false;
    std::uint64_t pruned_below = 0;
    std::string reached;  // the position given last over this connection
};

PostgresqlSource::PostgresqlSource(Location location) : location_(std::move(location)) {}
PostgresqlSource::~PostgresqlSource() = default;

template <typename Body>
auto PostgresqlSource::with_server(const Body& body) {
    try {
        if (!server_) {
            server_ = std::make_unique<Server>(location_, stop_fd());
        }
        return body(*server_);
    } catch (const base::Error&) {
        server_.reset();
        throw;
    } catch (...) {
        // What a sink throws; to connect again may take rights given up by now.
        if (server_ && !server_->connection.roll_back_to_idle()) {
            server_.reset();
        }
        throw;
    }
}

std::string PostgresqlSource::identity() {
    return with_server([](Server& server) { return server.registry_id; });
}

std::uint64_t PostgresqlSource::token_count() {
    return with_server([](Server& server) {
        const auto count = server.connection.query("SELECT count(*) FROM token_auth.tokens");
        count->next();
        return number(count->text(0));
    });
}

std::optional<std::string> PostgresqlSource::changes(const std::string& position, Sink& sink) {
    return with_server([&](Server& server) -> std::optional<std::string> {
        const auto from = parse_postgresql_position(position);
        if (!from) {
            return std::nullopt;
        }
        PostgresqlPosition now = server.begin();
        now.base = snapshot_xmin(from->snapshot);
        const auto keys = server.in_log(*from, now) ? server.keys_after(*from) : std::nullopt;
        if (!keys) {
            server.connection.roll_back();
            return std::nullopt;
        }
        if (keys->empty()) {
            return server.end(position);
        }
        read_changed(server.connection, *keys, sink);
        return server.end(std::move(now));
    });
}

std::string PostgresqlSource::all(Sink& sink) {
    return with_server([&](Server& server) {
        PostgresqlPosition now = server.begin();
        now.base = snapshot_xmin(now.snapshot);
        server.connection.run(prepare_full_load);
        read_all(server.connection, sink);
        return server.end(std::move(now));
    });
}

std::vector<Fate> PostgresqlSource::fates(const std::vector<HeldToken>& tokens) {
    return with_server([&](Server& server) {
        std::vector<Fate> found;
        server.connection.read([&] {
            // Version 1 kept the trail from tokensync.
            const auto row = server.connection.query(
                "SELECT has_column_privilege('audit', 'action', 'SELECT')::int");
            row->next();
            found = fates_of(server.connection, tokens, row->integer(0) != 0);
        });
        return found;
    });
}

bool PostgresqlSource::no_change_between(const std::string& position, const std::string& latest) {
    return position == latest || with_server([&](Server& server) {
               const auto from = parse_postgresql_position(position);
               const auto to = parse_postgresql_position(latest);
               if (!from || !to || from->cluster != to->cluster ||
                   number(snapshot_xmin(from->snapshot)) < server.pruned_below) {
                   return false;
               }
               Values parameters = parameters_of(*from);
               parameters.emplace_back(to->snapshot);
               const auto between = server.connection.query(
                   fmt::format("SELECT 1 FROM ({}) AS unseen WHERE "
                               "pg_visible_in_snapshot(xid, $4::pg_snapshot) LIMIT 1",
                               unseen_rows),
                   parameters);
               return !between->next();
           });
}

std::string PostgresqlSource::position() {
    return with_server([](Server& server) {
        PostgresqlPosition now = server.begin();
        now.base = snapshot_xmin(now.snapshot);
        return server.end(std::move(now));
    });
}

bool PostgresqlSource::is_awaited() {
    return with_server([](Server& server) {
        if (!server.tells_waiting) {
            // Version 1 has no such table, and older grants do not let it be read.
            const auto row = server.connection.query(
                "SELECT has_table_privilege(to_regclass('token_auth.waiting'), 'SELECT')::int");
            server.tells_waiting = row->next() && row->integer(0) != 0;
        }
        return server.tells_waiting &&
               server.connection
                   .query(
                       "SELECT 1 FROM token_auth.waiting WHERE until > extract(epoch FROM "
                       "clock_timestamp())")
                   ->next();
    });
}

void PostgresqlSource::wait(std::chrono::milliseconds timeout) {
    with_server([&](Server& server) {
        if (server.announced) {
            server.connection.notified(timeout);
            return;
        }
        const auto from = parse_postgresql_position(server.reached);
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                return;
            }
            server.connection.notified(std::min(left, poll_interval));
            if (!from) {
                return;
            }
            const auto newer = server.connection.query(fmt::format("{} LIMIT 1", unseen_rows),
                                                       parameters_of(*from));
            if (newer->next()) {
                return;
            }
        }
    });
}

}  // namespace token_auth::registry
