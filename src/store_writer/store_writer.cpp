#include "store_writer/store_writer.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "store_writer/error.hpp"
#include "store_writer/file.hpp"
#include "store_writer/notes.hpp"
#include "store_writer/replacement.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::size_t first_map_size = std::size_t{64} << 20;

std::int64_t milliseconds_now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Makes the data file as long as the map, without taking room on disk for it. LMDB does not write
// pages at the file's end that one transaction took and gave back, so that a sound file could
// otherwise be shorter than its number of pages, which readers take for a truncated one.
void reserve(MDB_env* environment, const std::string& path) {
    const Size size = size_of(environment, path);
    mdb_filehandle_t handle{};
    int error = mdb_env_get_fd(environment, &handle);
    if (error == MDB_SUCCESS && size.file < size.map &&
        ftruncate(handle, static_cast<off_t>(size.map)) != 0) {
        error = errno;
    }
    if (error != MDB_SUCCESS) {
        fail(path, "reserve room in", error);
    }
}

void set_map_size(MDB_env* environment, const std::string& path, std::uint64_t size) {
    const int error = mdb_env_set_mapsize(environment, size);
    if (error != MDB_SUCCESS) {
        fail(path, "enlarge", error);
    }
    reserve(environment, path);
}

// Indexes that hold tokens are of the keys that they were given to.
void name_keys(Contents& contents, const Numbers& numbers) {
    for (std::size_t i = 0; i < contents.keys.size(); ++i) {
        if (contents.keys[i].tokens != 0) {
            contents.keys[i].id = numbers.keys()[i].id;
        }
    }
}

// Whether LMDB could not write the meta page of the last commit: it then refuses all others.
bool is_panicked(MDB_env* environment) noexcept {
    MDB_txn* made = nullptr;
    const int error = mdb_txn_begin(environment, nullptr, 0, &made);
    const TransactionHandle transaction(made);
    return error == MDB_PANIC;
}

}  // namespace

StoreWriter::StoreWriter(const StoreOptions& options, const Inspect& inspect)
    : lock_(std::make_unique<SyncLock>(find_site(options))),
      // Not before the lock is held: another one may be putting a directory in place.
      directory_((lock_->hold(options.lock_wait), options)),
      generation_(std::max(options.generation, lock_->generation())) {
    lock_->hold_data(directory_.data_file());
    remove_leftover(site(), *lock_);
    damage_ = inspect(directory_.real(), {lock_->is_known(), options.rebuild,
                                          options.read_through || lock_->at_work()});
    if (damage_.empty() && lock_->is_spoiled()) {
        damage_ = fmt::format("the store {} may hold half of a commit that failed", path());
    }
    if (!damage_.empty()) {
        return;
    }
    try {
        lock_->set_at_work(true);
        open();
    } catch (const DamagedStore& error) {
        environment_.reset();
        damage_ = error.problem();
    }
}

StoreWriter::StoreWriter(Directory directory, std::uint64_t generation)
    : directory_(std::move(directory)), generation_(generation) {
    open();
}

StoreWriter::~StoreWriter() {
    const bool opened = environment_ != nullptr;
    environment_.reset();
    try {
        if (lock_ && opened) {
            lock_->set_at_work(false);
        }
    } catch (const StoreError&) {
        // Then the next one reads the store through.
    }
}

void StoreWriter::open() {
    environment_ = open_environment(directory_.real());
    if (lock_) {
        lock_->hold_data(directory_.data_file());
    }
    require_whole(environment_.get(), path());
    set_map_size(environment_.get(), path(), std::max<std::uint64_t>(size().map, first_map_size));
    const TransactionHandle transaction = begin(environment_.get(), path());
    meta_ = read_meta(transaction.get(), path());
    if (meta_) {
        generation_ = std::max(generation_, meta_->generation);
        numbers_ = read_numbers(transaction.get(), path(), meta_->contents);
    }
    directory_.set_groups_and_modes();
}

void StoreWriter::raise(std::uint64_t generation) noexcept {
    generation_ = std::max(generation_, generation);
}

void StoreWriter::grow() {
    set_map_size(environment_.get(), path(), size().map * 2);
}

TransactionHandle StoreWriter::begin_writing() {
    TransactionHandle transaction = begin(environment_.get(), path());
    if (!in_place()) {
        throw StoreReplaced(path());
    }
    require_unchanged(transaction.get());
    return transaction;
}

void StoreWriter::transact(const std::function<void(MDB_txn*)>& body) {
    // Whoever replaces a store holds commits off (see compact.cpp): what is in place now stays so
    // until the commit.
    const SyncLock::Held held = lock_ ? lock_->commit() : SyncLock::Held();
    require_whole(environment_.get(), path());
    for (;;) {
        try {
            TransactionHandle transaction = begin_writing();
            body(transaction.get());
            if (lock_) {
                lock_->require_in_place();  // another one may have begun with a new lock file
            }
            const int error = mdb_txn_commit(transaction.release());
            if (error != MDB_SUCCESS && lock_ && is_panicked(environment_.get())) {
                lock_->set_spoiled(true);
            }
            require_written(error, path());
            return;
        } catch (const MapFull&) {
            grow();
        }
    }
}

// What is known of the store must still be so: a copy of another time may have been written over
// it.
void StoreWriter::require_unchanged(MDB_txn* transaction) const {
    if (!meta_) {
        return;
    }
    const std::optional<Meta> found = read_meta(transaction, path());
    if (!found || found->generation != meta_->generation || found->source != meta_->source ||
        found->position != meta_->position) {
        throw StoreError(
            fmt::format("the store {} was overwritten while it was open; run \"tokensync run\" to "
                        "bring it up to date, and replace whole directories only",
                        path()));
    }
}

std::string StoreWriter::note(std::string_view id) const {
    std::string_view value;
    if (!environment_) {
        return {};
    }
    const TransactionHandle transaction = begin_reading(environment_.get(), path());
    if (find(transaction.get(), path(), note_key(id), value)) {
        for (Note each; !value.empty() && each.parse(value);
             value.remove_prefix(each.bytes.size())) {
            if (each.id == id) {
                return std::string(each.bytes);
            }
        }
    }
    return {};
}

Meta StoreWriter::next_meta(const Meta& meta) const {
    const std::int64_t now = milliseconds_now();
    Meta next = meta;
    // The clock makes a store that was deleted, and its lock file too, newer than the one before.
    next.generation = generation_ + 1;
    if (static_cast<std::uint64_t>(now) <= generation_of_clock_max) {
        next.generation = std::max(next.generation, static_cast<std::uint64_t>(now));
    }
    next.synced = meta.synced == 0 ? now : meta.synced;
    if (next.created == 0) {
        next.created = meta_ ? meta_->created : now;
    }
    return next;
}

void StoreWriter::adopt(Meta meta, Numbers numbers) {
    generation_ = meta.generation;
    numbers_ = std::move(numbers);
    numbers_.set_keys(meta.contents.keys);
    meta_ = std::move(meta);
}

Tally StoreWriter::commit(const ChangeSet& changes, const Meta& meta, const Numbers& numbers,
                          const Contents* counted, const ChangeSet* kept,
                          const std::function<void(const Tally&)>& approve) {
    Meta after;
    Tally tally;
    transact([&](MDB_txn* transaction) {
        after = next_meta(meta);
        after.contents = counted != nullptr ? *counted : meta_.value_or(Meta{}).contents;
        WriteTxn write(transaction, path(), counted != nullptr ? nullptr : &after.contents,
                       meta_ && meta_->contents.counts.held_back != 0);
        changes.apply(write);
        if (kept != nullptr) {
            write.count_in(after.contents);
            kept->apply(write);
        }
        tally = std::move(write.tally());
        if (approve) {
            approve(tally);
        }
        name_keys(after.contents, numbers);
        after.roles_generation =
            tally.roles_changed || !meta_ ? after.generation : meta_->roles_generation;
        write_meta(transaction, path(), after);
        if (lock_) {
            lock_->raise_generation(after.generation);
        }
    });
    adopt(std::move(after), numbers);
    return tally;
}

void StoreWriter::begin_load() {
    meta_.reset();
    transact([&](MDB_txn* transaction) {
        require_written(mdb_drop(transaction, main_dbi, 0), path());
        put(transaction, path(), meta_record_key, unfinished_marker());
    });
}

void StoreWriter::append(const ChangeSet& batch) {
    transact([&](MDB_txn* transaction) {
        // The marker has the last of all keys.
        erase(transaction, path(), meta_record_key);
        batch.for_each_put([&](std::uint64_t key, std::string_view value) {
            store_writer::append(transaction, path(), key, value);
        });
        store_writer::append(transaction, path(), meta_record_key, unfinished_marker());
    });
}

void StoreWriter::finish_load(Meta meta, Numbers numbers) {
    transact([&](MDB_txn* transaction) {
        Meta next = next_meta(meta);
        name_keys(next.contents, numbers);
        next.roles_generation = next.generation;
        write_meta(transaction, path(), next);
        if (lock_) {
            lock_->raise_generation(next.generation);
        }
        meta = std::move(next);
    });
    adopt(std::move(meta), std::move(numbers));
}

void StoreWriter::read_into_memory() {
    // What is mapped cannot leave the page cache.
    const std::uint64_t used = size().used;
    environment_.reset();
    read_in_large_pieces(directory_.data_file(), used);
    open();
}

void StoreWriter::take_place_of(StoreWriter& old, Replacement& beside) {
    const Site site = old.site();
    sync_directory(directory_.real());
    {
        const SyncLock::Held held = old.lock_->commit();
        old.lock_->raise_generation(generation_);
        old.lock_->require_in_place();
        beside.take_place();
        if (old.lock_->is_spoiled()) {
            old.lock_->set_spoiled(false);
        }
    }
    old.environment_.reset();
    lock_ = std::move(old.lock_);
    lock_->set_at_work(true);
    directory_.moved(site);
    lock_->hold_data(directory_.data_file());
}

}  // namespace token_auth::store_writer
