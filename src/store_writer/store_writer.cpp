#include "store_writer/store_writer.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "store_writer/bulk_loader.hpp"
#include "store_writer/replacement.hpp"
#include "token_auth/rescue.hpp"
#include "token_auth/store.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::size_t first_map_size = std::size_t{64} << 20;

std::int64_t milliseconds_now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Takes the room on disk that the lock file needs. LMDB makes it with holes, and a process that
// takes a slot in one while the disk is full is killed (SIGBUS). Before it is opened: closing a
// descriptor of it lets go of this process's locks on it.
void settle_lock_file(const std::string& path, const std::string& lock) {
    const base::FileDescriptor file(
        open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    struct stat info {};
    if (!file.is_open() || fstat(file.get(), &info) != 0) {
        fail(path, "open", errno);
    }
    if (fallocate(file.get(), 0, 0, info.st_size == 0 ? lock_file_size : info.st_size) != 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        fail(path, "make room in the lock.mdb of", errno);
    }
}

Environment open_for_writing(const std::string& path) {
    // A lock file that outlived its data file belongs to readers of the old one: a new data file
    // beside it would be taken for theirs.
    const std::string lock = path + "/lock.mdb";
    if (access((path + "/data.mdb").c_str(), F_OK) != 0 && errno == ENOENT &&
        unlink(lock.c_str()) != 0 && errno != ENOENT) {
        fail(path, "remove the old lock.mdb of", errno);
    }
    struct stat info {};
    if (stat((path + "/data.mdb").c_str(), &info) == 0 && info.st_size > 0 &&
        info.st_size < 2 * sysconf(_SC_PAGESIZE)) {
        // LMDB would read its meta pages from beyond the end.
        throw DamagedStore(fmt::format("the store {} is damaged: data.mdb is truncated", path));
    }
    settle_lock_file(path, lock);
    Environment environment = open_environment(path, 0);
    require_whole(environment.get(), path);
    return environment;
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

// Has LMDB take up what a killed writer committed but did not tell readers of any more: it does so
// when the next one begins to write, and what was read before would be of the commit before.
void take_up_last_commit(MDB_env* environment, const std::string& path) {
    MDB_txn* made = nullptr;
    const int error = mdb_txn_begin(environment, nullptr, 0, &made);
    const TransactionHandle transaction(made);
    if (error != MDB_SUCCESS && error != MDB_MAP_RESIZED) {
        fail(path, "write", error);
    }
}

}  // namespace

std::optional<Meta> read_meta(MDB_txn* transaction, const std::string& path) {
    MDB_val key = to_val(meta_key());
    MDB_val value{};
    int error = get(transaction, key, value);
    if (error == MDB_NOTFOUND) {
        MDB_stat statistics{};
        error = mdb_stat(transaction, main_dbi, &statistics);
        if (error == MDB_SUCCESS && statistics.ms_entries == 0) {
            return std::nullopt;
        }
        key = to_val(unfinished_key);
        if (error == MDB_SUCCESS) {
            error = get(transaction, key, value);
        }
        if (error == MDB_SUCCESS && to_view(value) == unfinished_value) {
            return std::nullopt;
        }
    }
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) {
        fail(path, "read", error);
    }
    MetaRecord record;
    const MetaProblem problem =
        error == MDB_SUCCESS ? decode(to_view(value), record) : MetaProblem::not_a_store;
    switch (problem) {
        case MetaProblem::none:
            break;
        case MetaProblem::not_a_store:
            throw StoreError(
                fmt::format("the directory {} holds the LMDB file of another program; name an "
                            "empty or a new directory with --db",
                            path));
        case MetaProblem::other_version:
            throw DamagedStore(
                fmt::format("the store {} is of another version of token-auth", path));
        case MetaProblem::damaged:
            throw DamagedStore(
                fmt::format("the store {} is damaged: its meta record cannot be read", path));
    }
    return owned(record);
}

namespace {

// Before anything is made in the directory: it may be another program's. Where sync.lock is there,
// the directory is ours, and somebody may be writing to it without our being in LMDB's lock file.
const StoreOptions& require_no_other_program(const StoreOptions& options) {
    const std::string& path = options.path;
    struct stat info {};
    if (stat((path + "/data.mdb").c_str(), &info) == 0 && info.st_size > 0 &&
        access((path + "/sync.lock").c_str(), F_OK) != 0) {
        const Environment environment = open_environment(path, MDB_RDONLY | MDB_NOLOCK);
        require_whole(environment.get(), path);
        const TransactionHandle transaction = begin_reading(environment.get(), path);
        read_meta(transaction.get(), path);
    }
    return options;
}

}  // namespace

StoreWriter::StoreWriter(const StoreOptions& options)
    : directory_(require_no_other_program(options)), generation_(options.generation) {
    remove_leftover(site());
    try {
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

void StoreWriter::open() {
    environment_ = open_for_writing(directory_.real());
    if (size_of(environment_.get(), path()).map < first_map_size) {
        const int error = mdb_env_set_mapsize(environment_.get(), first_map_size);
        if (error != MDB_SUCCESS) {
            fail(path(), "size", error);
        }
    }
    reserve(environment_.get(), path());
    take_up_last_commit(environment_.get(), path());
    meta_ = read_meta(begin_reading(environment_.get(), path()).get(), path());
    if (meta_) {
        generation_ = std::max(generation_, meta_->generation);
    }
    directory_.settle_files();
}

void StoreWriter::grow() {
    const std::uint64_t map = size_of(environment_.get(), path()).map;
    const int error = mdb_env_set_mapsize(environment_.get(), map * 2);
    if (error != MDB_SUCCESS) {
        fail(path(), "enlarge", error);
    }
    reserve(environment_.get(), path());
}

TransactionHandle StoreWriter::begin() {
    MDB_txn* made = nullptr;
    const auto begin = [&] {
        return guarded([&] { return mdb_txn_begin(environment_.get(), nullptr, 0, &made); });
    };
    int error = begin();
    if (error == MDB_MAP_RESIZED) {
        error = mdb_env_set_mapsize(environment_.get(), 0);
        if (error == MDB_SUCCESS) {
            reserve(environment_.get(), path());
            error = begin();
        }
    }
    if (error != MDB_SUCCESS) {
        fail(path(), "write", error);
    }
    TransactionHandle transaction(made);
    // Whoever replaces a store holds its transaction meanwhile (see compact.cpp): what is in place
    // now stays so until the commit.
    if (!in_place()) {
        throw StoreReplaced(path());
    }
    return transaction;
}

void StoreWriter::transact(const std::function<void(MDB_txn*)>& body) {
    require_whole(environment_.get(), path());
    // Pages that a killed reader holds on to can be used again.
    int dead = 0;
    const int error = mdb_reader_check(environment_.get(), &dead);
    if (error != MDB_SUCCESS) {
        fail(path(), "check the readers of", error);
    }
    for (;;) {
        try {
            TransactionHandle transaction = begin();
            require_unchanged(transaction.get());
            body(transaction.get());
            require_written(mdb_txn_commit(transaction.release()), path());
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

void StoreWriter::put_meta(MDB_txn* transaction, Meta& meta) {
    const std::int64_t now = milliseconds_now();
    // The clock makes a store that was deleted and built again newer than the one before it.
    meta.generation = std::max(generation_ + 1, static_cast<std::uint64_t>(now));
    meta.synced = meta.synced == 0 ? now : meta.synced;
    meta.created = meta.created == 0 ? now : meta.created;

    if (meta.key_uses.size() > key_uses_max) {
        throw base::Error(
            fmt::format("the registry holds tokens under more than {} keys for digests; rotate "
                        "the tokens of the oldest ones, nothing was synced",
                        key_uses_max));
    }
    MetaRecord record;
    record.generation = meta.generation;
    record.synced = meta.synced;
    record.created = meta.created;
    record.counts = meta.counts;
    for (const auto& [id, tokens] : meta.key_uses) {
        record.key_uses[record.key_use_count++] = {id, tokens};
    }
    record.source = meta.source;
    record.position = meta.position;
    std::array<char, value_max> buffer{};
    const std::size_t size = encode(record, buffer.data(), buffer.size());
    if (size == 0) {
        throw base::Error(
            "the registry's id is no identifier ([A-Za-z0-9._-], 1 to 64 bytes); see the row "
            "registry_id of its table meta");
    }
    MDB_val key = to_val(meta_key());
    MDB_val value = to_val({buffer.data(), size});
    require_written(put(transaction, key, value), path());
}

Tally StoreWriter::commit(const std::function<void(WriteTxn&)>& body) {
    Meta before = meta_.value_or(Meta{});
    before.synced = 0;
    Meta after;
    Tally tally;
    transact([&](MDB_txn* transaction) {
        WriteTxn change(transaction, path(), before);
        body(change);
        after = std::move(change.meta());
        tally = change.tally();
        put_meta(transaction, after);
    });
    generation_ = after.generation;
    meta_ = std::move(after);
    return tally;
}

}  // namespace token_auth::store_writer
