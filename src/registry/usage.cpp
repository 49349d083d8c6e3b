#include "registry/usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"
#include "registry/reports.hpp"

namespace token_auth::registry {
namespace {

constexpr std::int64_t pruned_every = 86400;
constexpr int prune_page = 1000;
constexpr std::int64_t count_max = INT64_MAX;

// Rows of a JSON array, which is one value for both engines.
const char* rows_of_json(const Session& session) {
    return session.engine() == Engine::postgresql
               ? "json_to_recordset($1::json) AS batch (id TEXT, used BIGINT, address TEXT, count "
                 "BIGINT)"
               : "(SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.used') AS used,"
                 " json_extract(value, '$.address') AS address, json_extract(value, '$.count') AS "
                 "count FROM json_each($1))";
}

std::string_view least(const Session& session) {
    return session.engine() == Engine::postgresql ? "least" : "min";
}

std::string_view greatest(const Session& session) {
    return session.engine() == Engine::postgresql ? "greatest" : "max";
}

std::vector<std::string> texts(Rows& rows) {
    std::vector<std::string> found;
    while (rows.next()) {
        found.emplace_back(rows.text(0));
    }
    return found;
}

}  // namespace

void add_use(TokenUse& known, const TokenUse& later) {
    if (later.time >= known.time) {
        known.time = later.time;
        known.address = later.address;
    }
    known.count = std::min<std::uint64_t>(known.count + later.count, count_max);
}

void put_usage(Session& reports, const TokenUses& uses) {
    if (uses.empty()) {
        return;
    }
    base::Json rows = base::Json::array();
    for (const auto& [id, use] : uses) {
        rows.push_back(
            {{"id", id}, {"used", use.time}, {"address", use.address}, {"count", use.count}});
    }
    // In the order of ids: hosts that write the same tokens do not wait for each other in turn.
    reports.execute(
        fmt::format("INSERT INTO {0} AS known (token, last_used, address, count) "
                    "SELECT id, {1}(used, {2}), address, count FROM {3} WHERE true ORDER BY id "
                    "ON CONFLICT (token) DO UPDATE SET "
                    "address = CASE WHEN excluded.last_used >= known.last_used "
                    "THEN excluded.address ELSE known.address END, "
                    "last_used = {4}(known.last_used, excluded.last_used), "
                    "count = CASE WHEN known.count > {5} - excluded.count THEN {5} "
                    "ELSE known.count + excluded.count END",
                    usage_table(reports), least(reports), clock(reports), rows_of_json(reports),
                    greatest(reports), count_max),
        {rows.dump()});
}

TokenUses usage_of(Session& reports, const std::vector<std::string>& ids) {
    const auto rows =
        reports.query(fmt::format("SELECT token, last_used, address, count FROM {} WHERE token {}",
                                  usage_table(reports), reports.in_list()),
                      {reports.list({ids.begin(), ids.end()})});
    TokenUses found;
    while (rows->next()) {
        found.insert_or_assign(
            std::string(rows->text(0)),
            TokenUse{std::clamp<std::int64_t>(rows->integer(1), 0, base::time_max),
                     std::string(rows->text(2)),
                     static_cast<std::uint64_t>(std::max<std::int64_t>(rows->integer(3), 0))});
    }
    return found;
}

bool claim_prune(Session& reports, const std::string& host) {
    const auto row =
        reports.query(fmt::format("SELECT 1 FROM {0} WHERE host = $1 AND NOT EXISTS "
                                  "(SELECT 1 FROM {0} WHERE pruned > {1} - {2} AND pruned <= {1})",
                                  hosts_table(reports), clock(reports), pruned_every),
                      {host});
    if (!row->next()) {
        return false;
    }
    reports.execute(fmt::format("UPDATE {} SET pruned = {} WHERE host = $1", hosts_table(reports),
                                clock(reports)),
                    {host});
    return true;
}

void prune_usage(Session& reports, Session& registry) {
    const bool postgresql = registry.engine() == Engine::postgresql;
    std::string last;
    for (;;) {
        const auto page = texts(*reports.query(
            fmt::format("SELECT token FROM {} WHERE token > $1 ORDER BY token LIMIT {}",
                        usage_table(reports), prune_page),
            {last}));
        if (page.empty()) {
            return;
        }
        last = page.back();
        auto there = texts(*registry.query(
            fmt::format("SELECT id FROM {} WHERE id {}",
                        postgresql ? "token_auth.tokens" : "tokens", registry.in_list()),
            {registry.list({page.begin(), page.end()})}));
        std::sort(there.begin(), there.end());
        std::vector<std::string_view> gone;
        std::set_difference(page.begin(), page.end(), there.begin(), there.end(),
                            std::back_inserter(gone));
        if (!gone.empty()) {
            reports.execute(fmt::format("DELETE FROM {} WHERE token {}", usage_table(reports),
                                        reports.in_list()),
                            {reports.list(gone)});
        }
    }
}

}  // namespace token_auth::registry
