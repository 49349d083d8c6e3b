#include "tokensync/status.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/json.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "registry/validate.hpp"
#include "store_writer/error.hpp"
#include "tokensync/report.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

struct Facts {
    store_writer::Meta meta;
    std::int64_t age = 0;  // milliseconds
    store_writer::Size size;
    std::uint64_t unused = 0;  // bytes of pages that hold nothing now
    std::uint64_t readers = 0;
    std::uint64_t max_readers = 0;
};

// One call for each line of LMDB's table; the first is its head, or says that there is none.
int count_reader(const char* line, void* context) {
    if (line[0] != '(' && std::string_view(line).find("pid") == std::string_view::npos) {
        ++*static_cast<std::uint64_t*>(context);
    }
    return 0;
}

// LMDB's list of free pages: a record for each transaction that freed some, their number first.
std::uint64_t unused_bytes(MDB_txn* transaction, const std::string& path) {
    constexpr MDB_dbi free_dbi = 0;
    MDB_stat statistics{};
    MDB_cursor* made = nullptr;
    int error = mdb_stat(transaction, free_dbi, &statistics);
    if (error == MDB_SUCCESS) {
        error = mdb_cursor_open(transaction, free_dbi, &made);
    }
    const store_writer::Cursor cursor(made);
    std::uint64_t pages = 0;
    MDB_val key{};
    MDB_val value{};
    while (error == MDB_SUCCESS) {
        error = store_writer::cursor_get(made, key, value, MDB_NEXT);
        std::size_t count = 0;
        if (error == MDB_SUCCESS && value.mv_size >= sizeof(count)) {
            std::memcpy(&count, value.mv_data, sizeof(count));
            pages += count;
        }
    }
    if (error != MDB_NOTFOUND) {
        store_writer::fail(path, "measure", error);
    }
    return pages * statistics.ms_psize;
}

Facts gather(const View& view) {
    Facts facts;
    {
        const store_writer::TransactionHandle transaction = view.begin(facts.meta);
        facts.unused = unused_bytes(transaction.get(), view.path());
    }

    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    facts.age = std::max<std::int64_t>(now.count() - facts.meta.synced, 0);

    MDB_envinfo info{};
    int error = mdb_env_info(view.environment(), &info);
    if (error == MDB_SUCCESS) {
        error = std::min(mdb_reader_list(view.environment(), count_reader, &facts.readers), 0);
    }
    if (error != MDB_SUCCESS) {
        store_writer::fail(view.path(), "measure", error);
    }
    facts.max_readers = info.me_maxreaders;
    facts.size = store_writer::size_of(view.environment(), view.path());
    return facts;
}

std::string key_name(KeyId id) {
    return id == no_key ? "sha256" : "hmac-sha256:" + registry::format_key_id(id);
}

void print(const std::string& path, const Facts& facts) {
    const store_writer::Meta& meta = facts.meta;
    std::string text;
    const auto line = [&text](std::string_view name, const std::string& value) {
        text += fmt::format("{:<14}{}\n", name, value);
    };
    line("store", path);
    line("generation", fmt::format("{}", meta.generation));
    line("synced", fmt::format("{} ({:.1f} s ago)", base::format_time(meta.synced / 1000),
                               static_cast<double>(facts.age) / 1000));
    line("created", base::format_time(meta.created / 1000));
    line("registry", meta.source);
    line("position", meta.position);
    line("tokens", fmt::format("{}", meta.counts.tokens));
    line("users", fmt::format("{}", meta.counts.users));
    line("organizations", fmt::format("{}", meta.counts.organizations));
    line("memberships", fmt::format("{}", meta.counts.memberships));
    line("roles", fmt::format("{}", meta.counts.roles));
    for (const auto& [id, tokens] : meta.key_uses) {
        line("digests", fmt::format("{} ({})", key_name(id), tokens));
    }
    line("on disk",
         fmt::format("{}, {} of it unused", size_text(facts.size.disk), size_text(facts.unused)));
    line("map", size_text(facts.size.map));
    line("readers", fmt::format("{} of {}", facts.readers, facts.max_readers));
    cli::write_out(text);
}

void print_json(const std::string& path, const Facts& facts) {
    const store_writer::Meta& meta = facts.meta;
    base::Json digests = base::Json::object();
    for (const auto& [id, tokens] : meta.key_uses) {
        digests[key_name(id)] = tokens;
    }
    base::Json json;
    json["store"] = path;
    json["generation"] = meta.generation;
    json["synced"] = base::format_time(meta.synced / 1000);
    json["age"] = static_cast<double>(facts.age) / 1000;
    json["created"] = base::format_time(meta.created / 1000);
    json["registry"] = meta.source;
    json["position"] = meta.position;
    json["counts"]["tokens"] = meta.counts.tokens;
    json["counts"]["users"] = meta.counts.users;
    json["counts"]["organizations"] = meta.counts.organizations;
    json["counts"]["memberships"] = meta.counts.memberships;
    json["counts"]["roles"] = meta.counts.roles;
    json["digests"] = digests;
    json["file_bytes"] = facts.size.file;
    json["disk_bytes"] = facts.size.disk;
    json["unused_bytes"] = facts.unused;
    json["map_bytes"] = facts.size.map;
    json["readers"] = facts.readers;
    json["max_readers"] = facts.max_readers;
    cli::print_json(json);
}

}  // namespace

void status(const std::string& path, bool json) {
    const View view(path);
    const Facts facts = gather(view);
    json ? print_json(path, facts) : print(path, facts);
}

}  // namespace token_auth::tokensync
