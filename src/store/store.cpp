#include "token_auth/store.hpp"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "token_auth/rescue.hpp"

namespace token_auth {
namespace {

constexpr const char* truncated =
    "data.mdb is truncated; remove the directory and run \"tokensync run\"";
constexpr const char* overwritten =
    "data.mdb was overwritten; remove the directory and run \"tokensync run\"";
constexpr const char* overwritten_by_older =
    "an older copy was written over data.mdb; run \"tokensync run\" to bring it up to date, and "
    "replace whole directories only";

// Places in a worker for each store, 384 KiB of them: for 6,000 hot tokens, and for 12,000
// organizations, roles, users and memberships, which tokens that come but once do not drive out.
constexpr unsigned token_place_bits = 11;
constexpr unsigned other_place_bits = 12;

constexpr std::size_t meta_copy_size = 1024;  // bytes: no meta record is as long

constexpr off_t lock_size_min = 192;  // bytes: LMDB's head of the lock file, and one slot

// LMDB trusts its meta pages: what it does with numbers that are none is not to be tried.
constexpr bool is_last_page(std::uint64_t number) noexcept {
    return number >= 1 && number <= UINT64_MAX / 4096;
}

// False where the directory's name leaves no room for the file's.
bool file_in(const char* path, const char* name, char (&out)[4096]) noexcept {
    const int length = std::snprintf(out, sizeof(out), "%s/%s", path, name);
    return length > 0 && static_cast<std::size_t>(length) < sizeof(out);
}

const char* remedy(int error) noexcept {
    switch (error) {
        case ENOENT:
            return "run \"tokensync run\" to build the store";
        case EACCES:
            return "let nginx's group read it and write its lock.mdb (tokensync --group sets this)";
        case MDB_INVALID:
            return "it is no LMDB file, or one of another LMDB version: remove the directory and "
                   "run "
                   "\"tokensync run\"";
        case MDB_VERSION_MISMATCH:
            return "it was written by another LMDB version: remove the directory and run "
                   "\"tokensync run\"";
        case MDB_READERS_FULL:
            return "too many processes read it: stop some, or remove its lock.mdb while none runs";
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_BAD_TXN:
            return "it is damaged: remove the directory and run \"tokensync run\"";
        case ENOSPC:
        case EDQUOT:
            return "free some space on its disk";
        case ENOMEM:
            return "free some memory or raise the address space limit of nginx";
        default:
            return "see the error; if it stays, remove the directory and run \"tokensync run\"";
    }
}

}  // namespace

bool store_identity(const char* path, StoreIdentity& out) noexcept {
    char file[4096];
    struct stat info {};
    if (!file_in(path, "data.mdb", file)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (stat(file, &info) != 0) {
        return false;
    }
    out.device = info.st_dev;
    out.inode = info.st_ino;
    out.lock_inode = file_in(path, "lock.mdb", file) && stat(file, &info) == 0 ? info.st_ino : 0;
    return true;
}

void Store::explain(const char* text) noexcept {
    std::snprintf(problem_, sizeof(problem_), "%s", text);
}

void Store::fail(const char* doing, int error) noexcept {
    std::snprintf(problem_, sizeof(problem_), "cannot %s: %s; %s", doing, mdb_strerror(error),
                  remedy(error));
}

bool Store::open(const char* path) noexcept {
    close();
    problem_[0] = '\0';

    // A symlink to the current directory may be exchanged at any time; data and lock file must
    // come from the same one.
    char* real = realpath(path, nullptr);
    if (real == nullptr) {
        fail("find the directory", errno);
        return false;
    }
    const std::size_t length = std::strlen(real);
    if (length >= sizeof(path_)) {
        std::free(real);
        fail("open the directory", ENAMETOOLONG);
        return false;
    }
    std::memcpy(path_, real, length + 1);
    std::free(real);

    if (!store_identity(path_, identity_)) {
        fail("find data.mdb", errno);
        return false;
    }
    if (!settle_lock_file()) {
        return false;
    }

    char file[4096];
    struct stat info {};
    if (file_in(path_, "data.mdb", file) && stat(file, &info) == 0 && info.st_size == 0) {
        explain(truncated);  // LMDB would say "Bad file descriptor"
        return false;
    }
    token_places_.init(token_place_bits);
    other_places_.init(other_place_bits);
    MDB_env* env = nullptr;
    int error = mdb_env_create(&env);
    if (error == MDB_SUCCESS) {
        env_ = env;
        rescue_.start(env_);
        error = mdb_env_set_maxreaders(env_, store_max_readers);
    }
    if (error == MDB_SUCCESS) {
        error = guarded([&] {
            return mdb_env_open(env_, path_, MDB_RDONLY | MDB_NOTLS | MDB_NORDAHEAD, 0640);
        });
    }
    if (error != MDB_SUCCESS) {
        fail("open it", error);
        close();
        return false;
    }
    if (!is_whole() || !holds_its_pages()) {
        close();
        return false;
    }
    MDB_txn* txn = nullptr;
    error = guarded([&] { return mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn); });
    if (error == MDB_READERS_FULL &&
        guarded([&] { return mdb_reader_check(env_, nullptr); }) == MDB_SUCCESS) {
        // Slots of killed readers are free again: tokensync, which also sees to that, may be down.
        error = guarded([&] { return mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn); });
    }
    if (error == MDB_MAP_RESIZED) {
        error = guarded([&] { return mdb_env_set_mapsize(env_, 0); });
        if (error == MDB_SUCCESS) {
            error = guarded([&] { return mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn); });
        }
    }
    if (error != MDB_SUCCESS) {
        fail("begin to read it", error);
        close();
        return false;
    }
    txn_ = txn;
    begun_ = true;
    MDB_dbi dbi = 0;
    error = guarded([&] {
        return mdb_dbi_open(txn_, nullptr, 0, &dbi);
    });  // sets the comparison of the main database
    if (error != MDB_SUCCESS || dbi != main_dbi) {
        fail("open its database", error);
        close();
        return false;
    }
    const bool whole = is_as_new_as_its_lock() && read_meta();
    end();
    if (!whole) {
        close();
    }
    return whole;
}

// LMDB makes the lock file with holes, and fills one when a slot in it is taken for the first time.
// On a full disk that is a SIGBUS, and it comes while the mutex of the slots is held: whoever
// catches it and lives on leaves every other process waiting for ever. So the room is taken before.
// Not to be called while this process has that lock file open: closing a descriptor of it lets go
// of the process's locks on it, by which others tell that it is alive.
bool Store::settle_lock_file() noexcept {
    char lock[4096];
    if (!file_in(path_, "lock.mdb", lock)) {
        fail("read and write lock.mdb", ENAMETOOLONG);
        return false;
    }
    // LMDB would create a missing one: that is for tokensync, which knows modes and group.
    const int file = ::open(lock, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        fail("read and write lock.mdb", errno);
        return false;
    }
    struct stat info {};
    int error = fstat(file, &info) == 0 ? 0 : errno;
    const bool cut = error == 0 && info.st_size != 0 && info.st_size < lock_size_min;
    const off_t size = info.st_size == 0 ? lock_file_size : info.st_size;
    if (error == 0 && !cut && fallocate(file, 0, 0, size) != 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        error = errno;  // others: a file system that cannot, or need not, do that
    }
    ::close(file);
    if (cut) {
        explain("lock.mdb is truncated; remove the directory and run \"tokensync run\"");
    } else if (error != 0) {
        fail("make room in lock.mdb", error);
    }
    return error == 0 && !cut;
}

void Store::close() noexcept {
    // Both write to the lock file, which may have become shorter.
    if (txn_ != nullptr) {
        guarded([&] {
            mdb_txn_abort(txn_);
            return MDB_SUCCESS;
        });
        txn_ = nullptr;
    }
    if (env_ != nullptr) {
        guarded([&] {
            mdb_env_close(env_);
            return MDB_SUCCESS;
        });
        rescue_.stop();
        env_ = nullptr;
    }
    begun_ = false;
    meta_of_txn_ = 0;
    meta_ = MetaRecord{};
    forget_places();
    size_ = 0;
}

void Store::forget_places() noexcept {
    token_places_.forget();
    other_places_.forget();
    tree_.leave();
}

bool Store::is_whole() noexcept {
    // So that damage between the root and a place is met, too, and not only by those without one;
    // and that of the meta record. A file that was overwritten may tell an older generation.
    forget_places();
    meta_of_txn_ = 0;
    struct stat file {};
    mdb_filehandle_t handle{};
    int error = mdb_env_get_fd(env_, &handle);
    if (error == MDB_SUCCESS && fstat(handle, &file) != 0) {
        error = errno;
    }
    if (error != MDB_SUCCESS) {
        fail("measure data.mdb", error);
        return false;
    }
    // LMDB never makes a file shorter.
    if (file.st_size < size_) {
        explain(truncated);
        return false;
    }
    size_ = file.st_size;
    return true;
}

bool Store::holds_its_pages() noexcept {
    // Before anything else is asked of LMDB: it reads the two meta pages from the map.
    if (size_ < 2 * static_cast<off_t>(sysconf(_SC_PAGESIZE))) {
        explain(truncated);
        return false;
    }
    MDB_stat statistics;
    const int error = guarded([&] { return mdb_env_stat(env_, &statistics); });
    if (error != MDB_SUCCESS) {
        fail("measure data.mdb", error);
        return false;
    }
    // The file is measured once more, after what it is compared with: it may be growing.
    std::uint64_t last = 0;
    if (!last_page(last) || !is_whole()) {
        return false;
    }
    page_size_ = statistics.ms_psize;
    if (static_cast<std::uint64_t>(size_) / page_size_ <= last) {
        explain(truncated);
        return false;
    }
    return true;
}

bool Store::last_page(std::uint64_t& last) noexcept {
    MDB_envinfo info;
    const int error = guarded([&] { return mdb_env_info(env_, &info); });
    if (error != MDB_SUCCESS) {
        fail("measure data.mdb", error);
        return false;
    }
    last = info.me_last_pgno;
    if (!is_last_page(last)) {
        explain(overwritten);
        return false;
    }
    return true;
}

bool Store::begin() noexcept {
    if (env_ == nullptr) {
        return false;
    }
    // A file that was overwritten since the last look keeps its length; its numbers give it away.
    MDB_envinfo info{};
    bool current = true;
    int error = guarded([&] {
        const int problem = mdb_env_info(env_, &info);
        if (problem != MDB_SUCCESS || !is_last_page(info.me_last_pgno)) {
            return problem;
        }
        current = tree_.is_current();
        return mdb_txn_renew(txn_);
    });
    if (error == MDB_SUCCESS && !is_last_page(info.me_last_pgno)) {
        explain(overwritten);
        return false;
    }
    if (error == MDB_MAP_RESIZED) {
        // The writer grew the map; no transaction is active here, so this one may follow. The map
        // may move.
        forget_places();
        meta_of_txn_ = 0;
        error = guarded([&] { return mdb_env_set_mapsize(env_, 0); });
        if (error == MDB_SUCCESS) {
            error = guarded([&] { return mdb_txn_renew(txn_); });
        }
    }
    if (error != MDB_SUCCESS) {
        fail("begin to read it", error);
        return false;
    }
    begun_ = true;
    const std::size_t number = mdb_txn_id(txn_);
    if ((info.me_last_txnid < number && !is_as_new_as_its_lock()) ||
        ((number != meta_of_txn_ || !current) && !read_meta())) {
        end();
        return false;
    }
    return true;
}

// A snapshot's number is that of the last commit, which the lock file has; the commit itself is in
// the data file. Where the latter is older, an older copy was written over it, and what it says is
// of then.
bool Store::is_as_new_as_its_lock() noexcept {
    const std::size_t committed = mdb_txn_id(txn_);
    MDB_envinfo info;
    for (int attempt = 0; attempt < 2; ++attempt) {
        const int error = guarded([&] { return mdb_env_info(env_, &info); });
        if (error != MDB_SUCCESS) {
            fail("measure data.mdb", error);
            return false;
        }
        if (info.me_last_txnid >= committed) {
            return true;
        }
        // The writer changed the data file first: it may be seen later.
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    explain(overwritten_by_older);
    return false;
}

void Store::end() noexcept {
    guarded([&] {
        mdb_txn_reset(txn_);
        return MDB_SUCCESS;
    });
    begun_ = false;
}

bool Store::read_meta() noexcept {
    meta_of_txn_ = 0;
    forget_places();  // they were of an earlier snapshot
    std::string_view value;
    const Lookup found = get(meta_key(), value);
    if (found == Lookup::broken) {
        return false;
    }
    if (found == Lookup::not_found) {
        explain("it holds no token store yet; run \"tokensync run\"");
        return false;
    }
    // Taken out of the map in one guarded go: the file may be cut off at any moment.
    char copy[meta_copy_size];
    const std::size_t size = std::min(value.size(), sizeof(copy));
    int error = guarded([&] {
        std::memcpy(copy, value.data(), size);
        return MDB_SUCCESS;
    });
    if (error != MDB_SUCCESS) {
        fail("read it", error);
        return false;
    }
    MetaRecord meta;
    switch (decode({copy, size}, meta)) {
        case MetaProblem::none:
            break;
        case MetaProblem::not_a_store:
            explain("it is the LMDB file of another program; name tokensync's directory");
            return false;
        case MetaProblem::other_version:
            explain(
                "it has another format version; use module and tokensync of one release, "
                "remove the directory and run \"tokensync run\"");
            return false;
        case MetaProblem::damaged:
            explain("its meta record is damaged; remove the directory and run \"tokensync run\"");
            return false;
    }
    if (meta.generation < meta_.generation) {
        explain(overwritten_by_older);
        return false;
    }
    // Both sizes were checked.
    std::memcpy(meta_source_, meta.source.data(), meta.source.size());
    std::memcpy(meta_position_, meta.position.data(), meta.position.size());
    meta.source = {meta_source_, meta.source.size()};
    meta.position = {meta_position_, meta.position.size()};
    meta_ = meta;
    const std::size_t snapshot = mdb_txn_id(txn_);
    error = guarded([&] {
        MDB_envinfo info;
        const int problem = mdb_env_info(env_, &info);
        // Pages are aligned in the map as the system's are.
        if (problem == MDB_SUCCESS &&
            page_size_ <= static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
            tree_.settle(snapshot, page_size_, info.me_mapsize, meta_key(), value);
        }
        return problem;
    });
    if (error != MDB_SUCCESS) {
        fail("read it", error);
        return false;
    }
    meta_of_txn_ = snapshot;
    return true;
}

}  // namespace token_auth
