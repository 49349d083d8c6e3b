#include "tokensync/compact.hpp"

#include <fmt/core.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "cli/output.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "store_writer/sorted_diff.hpp"
#include "store_writer/store_writer.hpp"
#include "tokensync/report.hpp"
#include "tokensync/view.hpp"

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
    const store_writer::Cursor cursor = store_writer::open_cursor(transaction, path);
    MDB_val key{};
    MDB_val value{};
    int error = store_writer::cursor_get(cursor.get(), key, value, MDB_FIRST);
    for (; error == MDB_SUCCESS;
         error = store_writer::cursor_get(cursor.get(), key, value, MDB_NEXT)) {
        if (store_writer::to_view(key) != meta_key()) {
            each(store_writer::to_view(key), store_writer::to_view(value));
        }
    }
    if (error != MDB_NOTFOUND) {
        store_writer::fail(path, "read", error);
    }
}

// Appends the store's present content to a new one, page after full page; gives its meta record.
// (LMDB's own copy would keep half-filled pages as they are, and the size of the map.)
store_writer::Meta copy(const std::string& path, store_writer::StoreWriter& fresh) {
    const View view(path);  // checks, too, that the store is one that nginx would serve
    store_writer::Meta meta;
    const store_writer::TransactionHandle transaction = view.begin(meta);
    store_writer::BulkLoader load(fresh);
    for_each_record(transaction.get(), path,
                    [&](std::string_view key, std::string_view value) { load.put(key, value); });
    load.finish(meta.source, meta.position);
    return meta;
}

// Holds off everybody else who would write to the environment.
store_writer::TransactionHandle hold(MDB_env* environment, const std::string& path) {
    MDB_txn* made = nullptr;
    int error = mdb_txn_begin(environment, nullptr, 0, &made);
    if (error == MDB_MAP_RESIZED) {
        error = mdb_env_set_mapsize(environment, 0);
        if (error == MDB_SUCCESS) {
            error = mdb_txn_begin(environment, nullptr, 0, &made);
        }
    }
    store_writer::TransactionHandle transaction(made);
    MDB_dbi dbi = 0;
    if (error == MDB_SUCCESS) {
        error = mdb_dbi_open(made, nullptr, 0, &dbi);
    }
    if (error != MDB_SUCCESS) {
        store_writer::fail(path, "hold", error);
    }
    return transaction;
}

Compacted compact_once(const store_writer::StoreOptions& options) {
    const std::string& path = options.path;
    const store_writer::Site site = store_writer::find_site(options);
    if (!site.there) {
        throw store_writer::StoreError(
            fmt::format("there is no store at {}; run \"tokensync run\" to build it", path));
    }
    store_writer::remove_leftover(site);
    store_writer::Replacement beside(site, replacing_waits);
    // Where another one was waited for that replaced the store, it is another store by now.
    const auto require_same = [&] {
        const store_writer::Site now = store_writer::find_site(options);
        if (now.device != site.device || now.inode != site.inode) {
            throw store_writer::StoreReplaced(path);
        }
    };
    require_same();
    store_writer::StoreWriter fresh(beside.take_directory(), 0);
    const store_writer::Meta copied = copy(path, fresh);

    // From here on, those who would write to the store wait; readers do not.
    const store_writer::Environment live = store_writer::open_environment(site.real, 0);
    const store_writer::TransactionHandle held = hold(live.get(), path);
    require_same();
    const std::optional<store_writer::Meta> meta = store_writer::read_meta(held.get(), path);
    if (!meta) {
        throw store_writer::StoreReplaced(path);
    }
    Compacted result;
    result.before = store_writer::size_of(live.get(), path).disk;
    fresh.raise(meta->generation);
    fresh.commit([&](store_writer::WriteTxn& change) {
        if (meta->generation != copied.generation) {
            store_writer::SortedDiff merged(change, std::numeric_limits<std::uint64_t>::max());
            for_each_record(held.get(), path, [&](std::string_view key, std::string_view value) {
                merged.put(key, value);
            });
            merged.finish();
        }
        // It is the same content, of the same age.
        change.meta() = *meta;
    });
    store_writer::sync_directory(fresh.site().real);
    beside.take_place();
    result.generation = fresh.meta()->generation;
    result.after = store_writer::size_of(fresh.environment(), path).disk;
    return result;
}

Compacted compact_store(const store_writer::StoreOptions& options) {
    for (int attempt = 1;; ++attempt) {
        try {
            return compact_once(options);
        } catch (const store_writer::DamagedRecord& error) {
            throw store_writer::StoreError(
                fmt::format("the store {} is damaged: {}; run \"tokensync run --full\"",
                            options.path, error.what()));
        } catch (const store_writer::StoreReplaced&) {
            if (attempt == attempts) {
                throw;
            }
        }
    }
}

}  // namespace

void compact(const store_writer::StoreOptions& options, bool json) {
    const auto begun = std::chrono::steady_clock::now();
    const Compacted done = compact_store(options);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    if (json) {
        base::Json line;
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
