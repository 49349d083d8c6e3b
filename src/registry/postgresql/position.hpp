// How far a store is in a PostgreSQL registry's change log.
//
// Rows of the log become visible in the order in which their transactions end, which is not that
// of their numbers. So a position is a snapshot: what it sees was taken in. A snapshot that sees
// less than was taken in does no harm: what is read twice is written once.
//
// Its text: "postgresql:<cluster>:<place>:<base>:<seq>:<sum>:<snapshot>".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace token_auth::registry {

struct PostgresqlPosition {
    // The server's identity and timeline, "-" if it does not tell. Another cluster, or one that
    // was recovered to an earlier time, counts its transactions anew.
    std::string cluster;
    // How far the server's write-ahead log was (bytes; 0 if it does not tell): a server that is
    // less far was rolled back, or is a replica that lags.
    std::string place;
    // The oldest transaction that could be new when the position before this one was left.
    std::string base;
    // Of the last rows that the snapshot sees, and of the first ones from `base` on: the highest
    // number, and the sum of their marks. A registry that was restored in place gives others.
    std::string seq;
    std::string sum;
    // As pg_snapshot's text: "<xmin>:<xmax>:<xid>,<xid>,…", in which the listed and all from xmax
    // on are not seen.
    std::string snapshot;
};

std::string format(const PostgresqlPosition& position);
std::optional<PostgresqlPosition> parse_postgresql_position(std::string_view text);

// The snapshot's first part: all below it is seen.
std::string_view snapshot_xmin(std::string_view snapshot);
// Its second part: nothing from there on is seen.
std::uint64_t snapshot_xmax(std::string_view snapshot);

// The snapshot in at most `size` characters: with many transactions under way, one that sees less.
std::string shortened(const std::string& snapshot, std::size_t size);

// One that sees nothing but what is below its xmin.
std::string floor_of(std::string_view snapshot);

}  // namespace token_auth::registry
