#include "tokensync/compact.hpp"

#include <fmt/core.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "cli/output.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/merge.hpp"
#include "store_writer/record_cursor.hpp"
#include "store_writer/replacement.hpp"
#include "store_writer/store_writer.hpp"
#include "tokensync/report.hpp"
#include "tokensync/view.hpp"

namespace token_auth::tokensync {
namespace {

// How long to wait for another tokensync that replaces the store.
constexpr std::chrono::seconds replacing_waits{5};
constexpr int attempts = 5;  // if somebody else replaces it meanwhile

struct Compacted {
    std::uint64_t generation = 0;
    std::uint64_t before = 0;  // bytes on disk
    std::uint64_t after = 0;
};

// Gives the target all records of a snapshot.
template <typename Target>
void copy_records(MDB_txn* transaction, const std::string& path, Target& target) {
    store_writer::RecordCursor records(transaction, path);
    for (; !records.at_end(); records.next()) {
        target.put(records.key(), records.value());
    }
}

// Appends the store's present content to a new one, page after full page; returns its meta record.
// (LMDB's own copy would keep half-filled pages as they are, and the size of the map.)
store_writer::Meta copy(const std::string& path, store_writer::StoreWriter& fresh) {
    const View view(path);  // checks, too, that the store is one that nginx would serve
    store_writer::Meta meta;
    const store_writer::TransactionHandle transaction = view.begin(meta);
    store_writer::BulkLoader load(fresh);
    copy_records(transaction.get(), path, load);
    load.finish(meta.source, meta.position);
    return meta;
}

// Brings the copy up to date with a store that was written to meanwhile, and has its age.
void catch_up(store_writer::StoreWriter& fresh, MDB_txn* held, const std::string& path,
              const store_writer::Meta& meta, bool changed) {
    fresh.raise(meta.generation);
    constexpr auto any = std::numeric_limits<std::uint64_t>::max();
    if (!changed) {
        fresh.commit(store_writer::ChangeSet(any), meta, true);
        return;
    }
    store_writer::Merge merge(fresh, any);
    copy_records(held, path, merge);
    merge.finish();
    fresh.commit(merge.changes(), meta, true);
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
    // If another one was waited for that replaced the store, it is another store by now.
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
    const store_writer::TransactionHandle held = store_writer::begin(live.get(), path, 0, "hold");
    require_same();
    const std::optional<store_writer::Meta> meta = store_writer::read_meta(held.get(), path);
    if (!meta) {
        throw store_writer::StoreReplaced(path);
    }
    Compacted result;
    result.before = store_writer::size_of(live.get(), path).disk;
    catch_up(fresh, held.get(), path, *meta, meta->generation != copied.generation);
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
