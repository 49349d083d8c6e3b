#include "lmdb.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "token_auth/store.hpp"

namespace token_auth::tokensync {
namespace {

const char* remedy(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EIO:  // what LMDB makes of a short write: the disk is full
            return "the old content is still being served; free some space on its disk (and see "
                   "the kernel's log for a failing one), then run \"tokensync run\"";
        case EACCES:
        case EPERM:
            return "run as the account that owns the directory, or give that account its files "
                   "(chown -R)";
        case EROFS:
            return "mount it writable";
        case ENOENT:
            return "run \"tokensync run\" to build it";
        case ENOMEM:
            return "free some memory, or raise the address space limit (ulimit -v)";
        case MDB_READERS_FULL:
            return "too many processes read it: stop some, or remove its lock.mdb while none runs";
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
            return "it is no LMDB file, or one of another LMDB version: if it was this store, "
                   "remove the directory and run \"tokensync run\"";
        default:
            return "if that stays, remove the directory (it is only a copy of the registry) and "
                   "run \"tokensync run\"";
    }
}

}  // namespace

void fail(const std::string& path, const char* doing, int error) {
    throw StoreError(fmt::format("cannot {} the store {}: {}; {}", doing, path, mdb_strerror(error),
                                 remedy(error)));
}

void require_written(int error, const std::string& path) {
    if (error == MDB_MAP_FULL) {
        throw MapFull();
    }
    if (error != MDB_SUCCESS) {
        fail(path, "write", error);
    }
}

Environment open_environment(const std::string& path, unsigned flags) {
    MDB_env* made = nullptr;
    int error = mdb_env_create(&made);
    if (error != MDB_SUCCESS) {
        fail(path, "open", error);
    }
    Environment environment(made);
    error = mdb_env_set_maxreaders(made, store_max_readers);
    if (error == MDB_SUCCESS) {
        error = mdb_env_open(made, path.c_str(), flags, 0640);
    }
    if (error != MDB_SUCCESS) {
        fail(path, "open", error);
    }
    return environment;
}

void require_whole(MDB_env* environment, const std::string& path) {
    MDB_envinfo info{};
    MDB_stat statistics{};
    mdb_filehandle_t handle{};
    struct stat file {};
    int error = mdb_env_info(environment, &info);
    if (error == MDB_SUCCESS) {
        error = mdb_env_stat(environment, &statistics);
    }
    if (error == MDB_SUCCESS) {
        error = mdb_env_get_fd(environment, &handle);
    }
    if (error == MDB_SUCCESS && fstat(handle, &file) != 0) {
        error = errno;
    }
    if (error != MDB_SUCCESS) {
        fail(path, "measure", error);
    }
    // A new environment has no page beyond its two meta pages, which it may not have written yet.
    const auto pages = static_cast<std::uint64_t>(file.st_size) / statistics.ms_psize;
    if (pages < info.me_last_pgno + 1) {
        throw StoreError(fmt::format(
            "the store {} is damaged: data.mdb is truncated; remove the directory (it is only a "
            "copy of the registry) and run \"tokensync run\"",
            path));
    }
}

TransactionHandle begin_reading(MDB_env* environment, const std::string& path) {
    MDB_txn* made = nullptr;
    int error = mdb_txn_begin(environment, nullptr, MDB_RDONLY, &made);
    if (error == MDB_MAP_RESIZED) {
        // Grown by a writer since it was opened; nothing of it is in use here.
        error = mdb_env_set_mapsize(environment, 0);
        if (error == MDB_SUCCESS) {
            error = mdb_txn_begin(environment, nullptr, MDB_RDONLY, &made);
        }
    }
    TransactionHandle transaction(made);
    MDB_dbi dbi = 0;
    if (error == MDB_SUCCESS) {
        error = mdb_dbi_open(made, nullptr, 0, &dbi);
    }
    if (error != MDB_SUCCESS) {
        fail(path, "read", error);
    }
    return transaction;
}

Cursor open_cursor(MDB_txn* transaction, const std::string& path) {
    MDB_cursor* made = nullptr;
    const int error = mdb_cursor_open(transaction, main_dbi, &made);
    if (error != MDB_SUCCESS) {
        fail(path, "read", error);
    }
    return Cursor(made);
}

}  // namespace token_auth::tokensync
