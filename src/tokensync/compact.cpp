#include "tokensync/compact.hpp"

#include <fmt/core.h>

#include <chrono>
#include <limits>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "cli/output.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/file.hpp"
#include "store_writer/replacement.hpp"
#include "store_writer/store_writer.hpp"
#include "store_writer/sync_lock.hpp"
#include "tokensync/account.hpp"
#include "tokensync/merge.hpp"
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

// Gives the target all records of the store; the numbers that they have. If somebody commits
// meanwhile, they may be of several commits.
template <typename Target>
store_writer::Numbers copy_records(View& view, Target& target) {
    const store_writer::Numbers numbers = view.numbers();
    view.rewind();
    std::uint64_t key = 0;
    for (std::string_view value; view.next(key, value) && key < meta_record_key;) {
        target.put(key, value);
    }
    return numbers;
}

// Appends the store's present content to a new one, page after full page.
// (LMDB's own copy would keep half-filled pages as they are, and the size of the map.)
store_writer::Meta copy(View& view, store_writer::StoreWriter& fresh) {
    const store_writer::Meta meta = store_writer::owned(view.meta());
    store_writer::BulkLoader load(fresh);
    const store_writer::Numbers numbers = copy_records(view, load);
    load.finish(meta, numbers);
    return meta;
}

// Brings the copy up to date with the store, which nobody commits to now, and has its age.
void catch_up(store_writer::StoreWriter& fresh, View& view, const store_writer::Meta& copied) {
    const store_writer::Meta meta = store_writer::owned(view.meta());
    fresh.raise(meta.generation);
    constexpr auto any = std::numeric_limits<std::uint64_t>::max();
    if (meta.generation == copied.generation) {
        fresh.commit(store_writer::ChangeSet(any), meta, fresh.numbers(), nullptr);
        return;
    }
    View copy(fresh.site().real);
    Merge merge(copy, any);
    const store_writer::Numbers numbers = copy_records(view, merge);
    merge.finish();
    fresh.commit(merge.changes(), meta, numbers, &merge.contents());
}

Compacted compact_once(const store_writer::StoreOptions& options) {
    const std::string& path = options.path;
    const store_writer::Site site = store_writer::find_site(options);
    if (!site.there) {
        throw store_writer::StoreError(
            fmt::format("there is no store at {}; run \"tokensync run\" to build it", path));
    }
    View view(path);  // checks, too, that the store is one that nginx would serve
    store_writer::SyncLock lock(site);
    lock.require_no_other_path(site.real + "/data.mdb");
    store_writer::remove_leftover(site, lock);
    store_writer::Replacement beside(site, lock, replacing_waits);
    // If another one was waited for that replaced the store, it is another store by now.
    const auto require_same = [&] {
        const store_writer::Site now = store_writer::find_site(options);
        if (now.device != site.device || now.inode != site.inode) {
            throw store_writer::StoreReplaced(path);
        }
    };
    require_same();
    store_writer::StoreWriter fresh(beside.directory(), lock.generation());
    const store_writer::Meta copied = copy(view, fresh);
    fresh.read_into_memory();

    // From here on, those who would commit to the store wait; readers do not.
    const store_writer::SyncLock::Held held = lock.commit();
    require_same();
    catch_up(fresh, view, copied);
    Compacted result;
    result.before = disk_bytes(path);
    result.generation = fresh.generation();
    store_writer::sync_directory(fresh.site().real);
    lock.raise_generation(fresh.generation());
    result.after = fresh.size().disk;
    lock.require_in_place();
    beside.take_place();
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
    become_owner(options);
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
