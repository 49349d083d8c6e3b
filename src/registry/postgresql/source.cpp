#include "registry/postgresql/source.hpp"

#include <fmt/core.h>

#include <charconv>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "registry/postgresql/entities.hpp"
#include "registry/postgresql/session.hpp"
#include "token_auth/record.hpp"

namespace token_auth::registry {
namespace {

// How often a registry is looked at that announces nothing.
constexpr std::chrono::milliseconds poll_interval{50};
// Rows by which a position is recognised; see PostgresqlPosition.
constexpr int last_rows = 64;
constexpr int first_rows = 500;

// Changes beyond which reading everything is quicker, and does not take the memory of their keys.
constexpr int changes_max = 200'000;

// The tables are locked before the snapshot is taken: TRUNCATE goes by no snapshot, and would show
// a table as empty that was refilled in the same transaction. What takes long gives up somewhat
// before this side does, so that no server process is left waiting.
constexpr const char* begin_snapshot =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
    "SET LOCAL lock_timeout = '50s'; SET LOCAL statement_timeout = '55s'; "
    "LOCK TABLE token_auth.meta, token_auth.changes, token_auth.log_state, token_auth.roles, "
    "token_auth.organizations, token_auth.users, token_auth.memberships, token_auth.tokens "
    "IN ACCESS SHARE MODE; "
    "SELECT pg_current_snapshot()::text, pg_is_in_recovery(), "
    "(SELECT pruned_below FROM token_auth.log_state), "
    "(SELECT value FROM token_auth.meta WHERE name = 'registry_id')";

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

std::vector<std::string> parameters_of(const PostgresqlPosition& position) {
    return {std::string(snapshot_xmin(position.snapshot)), position.snapshot, position.seq};
}

template <typename Number>
Number number(std::string_view text) {
    Number value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
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
            throw base::Error(fmt::format(
                "registry {}: its meta table has no registry_id; restore it from a backup",
                location.shown));
        }
    }

    // Which functions the server has, outside a transaction that a missing one would end.
    void learn_cluster() {
        try {
            link.run(cluster_and_place);
            tells_place = true;
        } catch (const base::Error&) {
            // not every service lets that be asked; the anchor has to do
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
        } catch (const base::Error&) {
            // a replica
        }
    }

    // Begins the transaction of one sync; the position of all that its snapshot sees.
    PostgresqlPosition begin(const Location& location) {
        const Rows state = link.run(begin_snapshot);
        if (state.at(0, 3) != registry_id) {
            throw base::Error(
                fmt::format("registry {}: another one was put in its place; trying again with that",
                            location.shown));
        }
        PostgresqlPosition now;
        now.cluster = "-";
        now.place = "0";
        if (tells_place) {
            const Rows place = link.run(cluster_and_place);
            now.cluster = place.at(0, 0);
            now.place = place.at(0, 1);
        }
        now.snapshot = state.at(0, 0);
        pruned_below = number<std::uint64_t>(state.at(0, 2));
        if (pruned_below > snapshot_xmax(now.snapshot)) {
            pruned_below = 0;  // by the counting of the cluster that this was restored from
        }
        replica = state.at(0, 1) == "t";
        // A replica's snapshots do not list what is under way.
        now.snapshot = replica ? floor_of(now.snapshot)
                               : shortened(now.snapshot, position_max - 120 - now.cluster.size());
        return now;
    }

    // `seq` and `sum` of the rows up to number `up_to` that the position is recognised by.
    std::pair<std::string, std::string> anchor(const PostgresqlPosition& position,
                                               const std::string& up_to) {
        const Rows last = link.run(
            fmt::format("SELECT coalesce(max(seq), 0), coalesce(sum(mark), 0) FROM ("
                        "(SELECT seq, mark FROM token_auth.changes WHERE seq <= $1::bigint AND "
                        "pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY seq DESC LIMIT {}) "
                        "UNION ALL "
                        "(SELECT seq, mark FROM token_auth.changes WHERE seq <= $1::bigint AND "
                        "xid >= $3::xid8 AND pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY "
                        "xid, seq LIMIT {})) AS rows",
                        last_rows, first_rows),
            {up_to, position.snapshot, position.base});
        return {std::string(last.at(0, 0)), std::string(last.at(0, 1))};
    }

    // Whether the log has everything after the position, and the position is of this log.
    bool in_log(const PostgresqlPosition& position, const PostgresqlPosition& now,
                const Location& location) {
        if (position.cluster != now.cluster) {
            return false;
        }
        if (number<std::uint64_t>(now.place) < number<std::uint64_t>(position.place)) {
            if (replica) {
                throw base::Error(fmt::format(
                    "registry {}: this replica is behind what the store holds already; waiting for "
                    "it, or name another server",
                    location.shown));
            }
            return false;
        }
        return number<std::uint64_t>(snapshot_xmin(position.snapshot)) >= pruned_below &&
               anchor(position, position.seq) == std::pair(position.seq, position.sum);
    }

    ChangedKeys keys_after(const PostgresqlPosition& position, const Location& location) {
        const Rows log =
            link.run(fmt::format("SELECT DISTINCT entity, key FROM ({}) AS unseen LIMIT {}",
                                 unseen_rows, changes_max + 1),
                     parameters_of(position));
        ChangedKeys keys;
        keys.any = log.size() > 0;
        if (log.size() > changes_max) {
            keys.everything = true;
            return keys;
        }
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
                throw base::Error(
                    fmt::format("registry {}: its change log names something unknown to this "
                                "tokensync; use programs of one release",
                                location.shown));
            }
        }
        return keys;
    }

    // Ends it, where nothing went wrong; the position as the store is to keep it.
    std::string end(PostgresqlPosition now) {
        std::tie(now.seq, now.sum) = anchor(now, std::to_string(INT64_MAX));
        return end(format(now));
    }
    std::string end(std::string position) {
        link.run("COMMIT");
        reached = position;
        return position;
    }

    Link link;
    std::string registry_id;
    bool tells_place = false;  // which cluster it is, and how far its log is
    bool announced = false;
    bool replica = false;
    std::uint64_t pruned_below = 0;
    std::string reached;  // the position given last over this connection
};

PostgresqlSource::PostgresqlSource(Location location) : location_(std::move(location)) {}
PostgresqlSource::~PostgresqlSource() = default;

PostgresqlSource::Session& PostgresqlSource::session() {
    if (!session_) {
        session_ = std::make_unique<Session>(location_, stop_fd());
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
        PostgresqlPosition now = session.begin(location_);
        now.base = snapshot_xmin(from->snapshot);
        if (!session.in_log(*from, now, location_)) {
            session.link.run("ROLLBACK");
            return std::nullopt;
        }
        const ChangedKeys keys = session.keys_after(*from, location_);
        if (!keys.any) {
            return session.end(position);
        }
        if (keys.everything) {
            session.link.run("ROLLBACK");
            return std::nullopt;
        }
        read_changed(session.link, location_, keys, sink);
        return session.end(std::move(now));
    });
}

std::string PostgresqlSource::all(Sink& sink) {
    return with_session([&](Session& session) {
        PostgresqlPosition now = session.begin(location_);
        now.base = snapshot_xmin(now.snapshot);
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
               std::vector<std::string> parameters = parameters_of(*from);
               parameters.push_back(to->snapshot);
               const Rows between =
                   session.link.run(fmt::format("SELECT EXISTS (SELECT 1 FROM ({}) AS unseen WHERE "
                                                "pg_visible_in_snapshot(xid, $4::pg_snapshot))",
                                                unseen_rows),
                                    parameters);
               return between.at(0, 0) == "f";
           });
}

void PostgresqlSource::wait(std::chrono::milliseconds timeout) {
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
            const Rows newer =
                session.link.run(fmt::format("{} LIMIT 1", unseen_rows), parameters_of(*from));
            if (newer.size() > 0) {
                return;
            }
        }
    });
}

}  // namespace token_auth::registry
