#include "store_writer/store_writer.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "store_writer/error.hpp"
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
void preallocate_lock_file(const std::string& path, const std::string& lock) {
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
    preallocate_lock_file(path, lock);
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
    begin(environment, path, 0, "write");
}

// Before anything is made in the directory: it may be another program's. If sync.lock is there,
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
    directory_.set_owners_and_modes();
}

void StoreWriter::grow() {
    const std::uint64_t map = size_of(environment_.get(), path()).map;
    const int error = mdb_env_set_mapsize(environment_.get(), map * 2);
    if (error != MDB_SUCCESS) {
        fail(path(), "enlarge", error);
    }
    reserve(environment_.get(), path());
}

TransactionHandle StoreWriter::begin_writing() {
    TransactionHandle transaction = begin(environment_.get(), path(), 0, "write");
    reserve(environment_.get(), path());
    // Whoever replaces a store holds its transaction meanwhile (see compact.cpp): what is in place
    // now stays so until the commit.
    if (!in_place()) {
        throw StoreReplaced(path());
    }
    require_unchanged(transaction.get());
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
            TransactionHandle transaction = begin_writing();
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

Meta StoreWriter::next_meta(const Meta& meta) const {
    const std::int64_t now = milliseconds_now();
    Meta next = meta;
    // The clock makes a store that was deleted and built again newer than the one before it.
    next.generation = std::max(generation_ + 1, static_cast<std::uint64_t>(now));
    next.synced = meta.synced == 0 ? now : meta.synced;
    if (next.created == 0) {
        next.created = meta_ ? meta_->created : now;
    }
    return next;
}

void StoreWriter::adopt(Meta meta) {
    generation_ = meta.generation;
    meta_ = std::move(meta);
}

Tally StoreWriter::commit(const ChangeSet& changes, const Meta& meta, bool counted,
                          const std::function<void(const Tally&)>& approve) {
    Meta after;
    Tally tally;
    transact([&](MDB_txn* transaction) {
        after = next_meta(meta);
        if (!counted) {
            after.counts = meta_.value_or(Meta{}).counts;
            after.key_uses = meta_.value_or(Meta{}).key_uses;
        }
        WriteTxn write(transaction, path(), counted ? nullptr : &after);
        changes.apply(write);
        tally = write.tally();
        if (approve) {
            approve(tally);
        }
        write_meta(transaction, path(), after);
    });
    adopt(std::move(after));
    return tally;
}

void StoreWriter::begin_load() {
    transact([&](MDB_txn* transaction) {
        MDB_val key = to_val(unfinished_key);
        MDB_val value = to_val(unfinished_value);
        require_written(mdb_drop(transaction, main_dbi, 0), path());
        require_written(put(transaction, key, value), path());
    });
}

namespace {

struct Appender {
    void put(std::string_view key, std::string_view value) const {
        MDB_val name = to_val(key);
        MDB_val data = to_val(value);
        const int error = mdb_put(transaction, main_dbi, &name, &data, MDB_APPEND);
        if (error == MDB_KEYEXIST) {
            throw OutOfOrder();
        }
        require_written(error, path);
    }
    void erase(std::string_view) const {}

    MDB_txn* transaction;
    const std::string& path;
};

}  // namespace

void StoreWriter::append(const ChangeSet& batch) {
    transact([&](MDB_txn* transaction) {
        const Appender appender{transaction, path()};
        batch.apply(appender);
    });
}

void StoreWriter::finish_load(Meta meta) {
    transact([&](MDB_txn* transaction) {
        MDB_val key = to_val(unfinished_key);
        require_written(erase(transaction, key), path());
        meta = next_meta(meta);
        write_meta(transaction, path(), meta);
    });
    adopt(std::move(meta));
}

}  // namespace token_auth::store_writer
