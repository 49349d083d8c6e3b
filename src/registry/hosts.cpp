#include "registry/hosts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/time.hpp"
#include "registry/reports.hpp"
#include "registry/schema.hpp"

namespace token_auth::registry {
namespace {

constexpr std::int64_t forgotten_after = 30 * 86400;

// usage_since of a host that has not told of uses yet: if it is new, and if it was there without.
constexpr int not_yet = -1;
constexpr int without = 0;

// Since when a new host counts: it may have taken the place of another one.
std::string usage_since_of_new(const Session& reports) {
    return fmt::format("coalesce((SELECT min(usage_since) FROM {} WHERE usage_since > 0), {})",
                       hosts_table(reports), clock(reports));
}

// What becomes of it; $9 is TellsUsage.
std::string usage_since(const Session& reports) {
    return fmt::format(
        "CASE WHEN $9 = 0 THEN {0} WHEN $9 = 1 OR known.usage_since > 0 THEN known.usage_since "
        "WHEN known.usage_since = {1} THEN {2} ELSE {3} END",
        without, not_yet, usage_since_of_new(reports), clock(reports));
}

}  // namespace

void put_report(Session& reports, const HostReport& report) {
    reports.execute(
        fmt::format(
            "INSERT INTO {0} AS known (host, seen, version, schema, generation, position, age, "
            "held_back, left_out, problem, usage_since, usage_lost, usage_problem) "
            "VALUES ($1, {1}, $2, {2}, $3, $4, $5, $6, $7, $8, "
            "CASE WHEN $9 = 0 THEN {3} WHEN $9 = 1 THEN {4} ELSE {5} END, $10, $11) "
            "ON CONFLICT (host) DO UPDATE SET "
            "seen = excluded.seen, version = excluded.version, schema = excluded.schema, "
            "generation = excluded.generation, position = excluded.position, age = excluded.age, "
            "held_back = excluded.held_back, left_out = excluded.left_out, "
            "problem = excluded.problem, usage_lost = excluded.usage_lost, "
            "usage_problem = excluded.usage_problem, "
            "usage_since = {6}",
            hosts_table(reports), clock(reports), schema_version, without, not_yet,
            usage_since_of_new(reports), usage_since(reports)),
        {report.name, report.version, static_cast<std::int64_t>(report.generation), report.position,
         report.age, static_cast<std::int64_t>(report.held_back),
         static_cast<std::int64_t>(report.left_out), report.problem,
         static_cast<std::int64_t>(report.tells_usage),
         static_cast<std::int64_t>(report.usage_lost), report.usage_problem});
}

std::optional<HostReport> report_of(Session& reports, const std::string& name) {
    const auto row = reports.query(
        fmt::format("SELECT generation, position FROM {} WHERE host = $1", hosts_table(reports)),
        {name});
    if (!row->next()) {
        return std::nullopt;
    }
    HostReport report;
    report.name = name;
    report.generation = static_cast<std::uint64_t>(row->integer(0));
    report.position = row->text(1);
    return report;
}

std::vector<Host> hosts(Session& reports) {
    const auto rows = reports.query(
        fmt::format("SELECT host, version, generation, position, age, held_back, left_out, "
                    "problem, usage_since, usage_lost, usage_problem, schema, seen, {1} "
                    "FROM {0} WHERE seen > {1} - {2} ORDER BY host",
                    hosts_table(reports), clock(reports), forgotten_after));
    std::vector<Host> found;
    while (rows->next()) {
        Host& host = found.emplace_back();
        host.report.name = rows->text(0);
        host.report.version = rows->text(1);
        host.report.generation = static_cast<std::uint64_t>(rows->integer(2));
        host.report.position = rows->text(3);
        host.report.age = std::clamp<std::int64_t>(rows->integer(4), 0, base::time_max);
        host.report.held_back = static_cast<std::uint64_t>(rows->integer(5));
        host.report.left_out = static_cast<std::uint64_t>(rows->integer(6));
        host.report.problem = rows->text(7);
        host.usage_since = std::clamp<std::int64_t>(rows->integer(8), without, base::time_max);
        host.report.tells_usage = host.usage_since == 0 ? TellsUsage::no : TellsUsage::yes;
        host.report.usage_lost = static_cast<std::uint64_t>(rows->integer(9));
        host.report.usage_problem = rows->text(10);
        host.schema = rows->integer(11);
        host.seen = std::max<std::int64_t>(rows->integer(13) - rows->integer(12), 0);
    }
    return found;
}

void forget_hosts(Session& reports) {
    reports.execute(fmt::format("DELETE FROM {} WHERE seen <= {} - {}", hosts_table(reports),
                                clock(reports), forgotten_after));
}

}  // namespace token_auth::registry
