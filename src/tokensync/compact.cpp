#include "compact.hpp"

#include <fmt/core.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "cli/output.hpp"
#include "load.hpp"
#include "merge.hpp"
#include "replacement.hpp"
#include "report.hpp"
#include "view.hpp"
#include "writer.hpp"

namespace token_auth::tokensync {
namespace {

// How long to wait for another tokensync that replaces the store.
constexpr std::chrono::seconds replacing_waits{5};
constexpr int attempts = 5;  // where somebody else replaces it meanwhile

struct Compacted {
    std::uint64_t generation = 0;
    std::uint64_t before = 0;  // bytes on disk
    std::uint64_t after = 0;
};

template <typename Each>
void for_each_record(MDB_txn* transaction, const std::string& path, Each each) {
    const Cursor cursor = open_cursor(transaction, path);
    MDB_val key{};
    MDB_val value{};
    int error = cursor_get(cursor.get(), key, value, MDB_FIRST);
    for (; error == MDB_SUCCESS; error = cursor_get(cursor.get(), key, value, MDB_NEXT)) {
        if (to_view(key) != meta_key()) {
            each(to_view(key), to_view(value));
        }
    }
    if (error != MDB_NOTFOUND) {
        fail(path, "read", error);
    }
}

// Appends the store's present content to a new one, page after full page; gives its meta record.
// (LMDB's own copy would keep half-filled pages as they are, and the size of the map.)
Meta copy(const std::string& path, Writer& fresh) {
    const View view(path);  // checks, too, that the store is one that nginx would serve
    Meta meta;
    const TransactionHandle transaction = view.begin(meta);
    Load load(fresh);
    for_each_record(transaction.get(), path,
                    [&](std::string_view key, std::string_view value) { load.put(key, value); });
    load.finish(meta.source, meta.position);
    return meta;
}

// Holds off everybody else who would write to the environment.
TransactionHandle hold(MDB_env* environment, const std::string& path) {
    MDB_txn* made = nullptr;
    int error = mdb_txn_begin(environment, nullptr, 0, &made);
    if (error == MDB_MAP_RESIZED) {
        error = mdb_env_set_mapsize(environment, 0);
        if (error == MDB_SUCCESS) {
            error = mdb_txn_begin(environment, nullptr, 0, &made);
        }
    }
    TransactionHandle transaction(made);
    MDB_dbi dbi = 0;
    if (error == MDB_SUCCESS) {
        error = mdb_dbi_open(made, nullptr, 0, &dbi);
    }
    if (error != MDB_SUCCESS) {
        fail(path, "hold", error);
    }
    return transaction;
}

Compacted compact_once(const StoreOptions& options) {
    const std::string& path = options.path;
    const Site site = find_site(options);
    if (!site.there) {
        throw StoreError(
            fmt::format("there is no store at {}; run \"tokensync run\" to build it", path));
    }
    remove_leftover(site);
    Replacement beside(site, replacing_waits);
    // Where another one was waited for that replaced the store, it is another store by now.
    const auto require_same = [&] {
        const Site now = find_site(options);
        if (now.device != site.device || now.inode != site.inode) {
            throw StoreReplaced(path);
        }
    };
    require_same();
    Writer fresh(beside.take_directory(), 0);
    const Meta copied = copy(path, fresh);

    // From here on, those who would write to the store wait; readers do not.
    const Environment live = open_environment(site.real, 0);
    const TransactionHandle held = hold(live.get(), path);
    require_same();
    const std::optional<Meta> meta = read_meta(held.get(), path);
    if (!meta) {
        throw StoreReplaced(path);
    }
    Compacted result;
    result.before = size_of(live.get(), path).disk;
    fresh.raise(meta->generation);
    fresh.commit([&](Change& change) {
        if (meta->generation != copied.generation) {
            Merge merged(change, std::numeric_limits<std::uint64_t>::max());
            for_each_record(held.get(), path, [&](std::string_view key, std::string_view value) {
                merged.put(key, value);
            });
            merged.finish();
        }
        // It is the same content, of the same age.
        change.meta() = *meta;
    });
    sync_directory(fresh.site().real);
    beside.take_place();
    result.generation = fresh.meta()->generation;
    result.after = size_of(fresh.environment(), path).disk;
    return result;
}

Compacted compact_store(const StoreOptions& options) {
    for (int attempt = 1;; ++attempt) {
        try {
            return compact_once(options);
        } catch (const DamagedRecord& error) {
            throw StoreError(
                fmt::format("the store {} is damaged: {}; run \"tokensync run --full\"",
                            options.path, error.what()));
        } catch (const StoreReplaced&) {
            if (attempt == attempts) {
                throw;
            }
        }
    }
}

}  // namespace

void compact(const StoreOptions& options, bool json) {
    const auto begun = std::chrono::steady_clock::now();
    const Compacted done = compact_store(options);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    if (json) {
        cli::Json line;
        line["store"] = options.path;
        line["generation"] = done.generation;
        line["disk_bytes_before"] = done.before;
        line["disk_bytes_after"] = done.after;
        line["milliseconds"] = took.count();
        cli::print_json(line);
        return;
    }
    cli::write_out(
        fmt::format("compacted {}: {} on disk before, {} after; generation {}, {:.1f} "
                    "ms\n",
                    options.path, size_text(done.before), size_text(done.after), done.generation,
                    took.count()));
}

}  // namespace token_auth::tokensync
