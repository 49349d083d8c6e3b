#include "tokensync/status.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "registry/validate.hpp"
#include "store_writer/error.hpp"
#include "token_auth/policy.hpp"
#include "tokensync/report.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

struct Facts {
    std::int64_t age = 0;  // milliseconds; below 0 in the future
    StoreSize size;
    std::uint64_t disk = 0;  // bytes that the file takes
};

Facts gather(View& view) {
    Facts facts;
    facts.size = view.size();
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    facts.age = now.count() - view.meta().synced;
    facts.disk = disk_bytes(view.path());
    return facts;
}

// Further than clocks differ: as the module sees it.
bool is_ahead(const Facts& facts) {
    return facts.age < 0 && is_stale(0, facts.age, 1);
}

std::string age_text(const Facts& facts) {
    const double seconds = static_cast<double>(facts.age) / 1000;
    return seconds < 0 ? fmt::format("{:.1f} s in the future", -seconds)
                       : fmt::format("{:.1f} s ago", seconds);
}

std::string key_name(KeyId id) {
    return id == no_key ? "sha256" : "hmac-sha256:" + registry::format_key_id(id);
}

void print(const std::string& path, const StoreMeta& meta, const Facts& facts) {
    std::string text;
    const auto line = [&text](std::string_view name, const std::string& value) {
        text += fmt::format("{:<14}{}\n", name, value);
    };
    line("store", path);
    line("generation", fmt::format("{}", meta.generation));
    line("synced", fmt::format("{} ({})", base::format_time(meta.synced / 1000), age_text(facts)));
    line("created", base::format_time(meta.created / 1000));
    line("registry", std::string(meta.source));
    line("position", std::string(meta.position));
    line("tokens", fmt::format("{}", meta.counts.tokens));
    line("roles", fmt::format("{}", meta.counts.roles));
    line("suspended", fmt::format("{} organizations", meta.counts.suspended));
    if (meta.counts.left_out != 0) {
        line("left out", fmt::format("{}, see \"tokensync check\"",
                                     base::counted(meta.counts.left_out, "row")));
    }
    if (meta.counts.held_back != 0) {
        line("held back", fmt::format("the removal of {}, see \"tokensync check\"",
                                      base::counted(meta.counts.held_back, "token")));
    }
    line("user records", fmt::format("{}, of users with more than {} memberships",
                                     meta.counts.users, memberships_max));
    for (const KeyUse& key : meta.keys) {
        if (key.tokens != 0) {
            line("digests", fmt::format("{} ({})", key_name(key.id), key.tokens));
        }
    }
    line("on disk",
         fmt::format("{}, {} of it unused", size_text(facts.disk), size_text(facts.size.unused)));
    line("map", size_text(facts.size.file));
    cli::write_out(text);
}

void print_json(const std::string& path, const StoreMeta& meta, const Facts& facts) {
    base::Json digests = base::Json::object();
    for (const KeyUse& key : meta.keys) {
        if (key.tokens != 0) {
            digests[key_name(key.id)] = key.tokens;
        }
    }
    base::Json json;
    json["store"] = path;
    json["generation"] = meta.generation;
    json["synced"] = base::format_time(meta.synced / 1000);
    json["age"] = static_cast<double>(std::max<std::int64_t>(facts.age, 0)) / 1000;
    json["created"] = base::format_time(meta.created / 1000);
    json["registry"] = std::string(meta.source);
    json["position"] = std::string(meta.position);
    json["counts"]["tokens"] = meta.counts.tokens;
    json["counts"]["roles"] = meta.counts.roles;
    json["counts"]["suspended_organizations"] = meta.counts.suspended;
    json["counts"]["user_records"] = meta.counts.users;
    json["left_out"] = meta.counts.left_out;
    json["held_back"] = meta.counts.held_back;
    json["digests"] = digests;
    json["file_bytes"] = facts.size.file;
    json["map_bytes"] = facts.size.file;  // the file is as long as the map
    json["disk_bytes"] = facts.disk;
    json["unused_bytes"] = facts.size.unused;
    cli::print_json(json);
}

// Of a store that was synced in the future nobody knows the age.
bool is_young(const std::string& path, const Facts& facts, std::chrono::seconds max_age) {
    if (facts.age > std::chrono::milliseconds(max_age).count()) {
        cli::note(
            fmt::format("the store {} is older than {} s; see whether tokensync watch runs, "
                        "and what it logs",
                        path, max_age.count()));
        return false;
    }
    if (is_ahead(facts)) {
        cli::note(
            fmt::format("the last completed sync of the store {} lies in the future; set the clock "
                        "right and run \"tokensync run\"",
                        path));
        return false;
    }
    return true;
}

}  // namespace

bool status(const std::string& path, bool json, std::optional<std::chrono::seconds> max_age) {
    View view(path);
    const Facts facts = gather(view);
    const StoreMeta& meta = view.meta();
    json ? print_json(path, meta, facts) : print(path, meta, facts);
    return (!max_age || is_young(path, facts, *max_age)) && meta.counts.left_out == 0 &&
           meta.counts.held_back == 0;
}

}  // namespace token_auth::tokensync
