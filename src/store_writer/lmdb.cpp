#include "store_writer/lmdb.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>

#include "store_writer/error.hpp"

namespace token_auth::store_writer {

void require_written(int error, const std::string& path) {
    if (error == MDB_MAP_FULL) {
        throw MapFull();
    }
    if (error != MDB_SUCCESS) {
        fail(path, "write", error);
    }
}

Environment open_environment(const std::string& path) {
    MDB_env* made = nullptr;
    int error = mdb_env_create(&made);
    if (error != MDB_SUCCESS) {
        fail(path, "open", error);
    }
    Environment environment(made);
    error = mdb_env_open(made, path.c_str(), MDB_NOLOCK, 0640);
    if (error != MDB_SUCCESS) {
        fail(path, "open", error);
    }
    return environment;
}

Size size_of(MDB_env* environment, const std::string& path) {
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
    Size size;
    size.used = (info.me_last_pgno + 1) * statistics.ms_psize;
    size.map = info.me_mapsize;
    size.file = static_cast<std::uint64_t>(file.st_size);
    size.disk = static_cast<std::uint64_t>(file.st_blocks) * 512;
    return size;
}

void require_whole(MDB_env* environment, const std::string& path) {
    const Size size = size_of(environment, path);
    // A new environment has no page beyond its two meta pages, which it may not have written yet.
    if (size.file < size.used) {
        throw DamagedStore(fmt::format("the store {} is damaged: data.mdb is truncated", path));
    }
}

namespace {

TransactionHandle begin_as(unsigned flags, MDB_env* environment, const std::string& path) {
    MDB_txn* made = nullptr;
    int error = mdb_txn_begin(environment, nullptr, flags, &made);
    TransactionHandle transaction(made);
    MDB_dbi dbi = 0;
    if (error == MDB_SUCCESS) {
        error = mdb_dbi_open(made, nullptr, MDB_INTEGERKEY, &dbi);
    }
    if (error != MDB_SUCCESS) {
        fail(path, flags == MDB_RDONLY ? "read" : "write", error);
    }
    return transaction;
}

}  // namespace

TransactionHandle begin(MDB_env* environment, const std::string& path) {
    return begin_as(0, environment, path);
}

TransactionHandle begin_reading(MDB_env* environment, const std::string& path) {
    return begin_as(MDB_RDONLY, environment, path);
}

Cursor open_cursor(MDB_txn* transaction, const std::string& path) {
    MDB_cursor* made = nullptr;
    const int error = mdb_cursor_open(transaction, main_dbi, &made);
    if (error != MDB_SUCCESS) {
        fail(path, "read", error);
    }
    return Cursor(made);
}

bool is_empty(MDB_txn* transaction, const std::string& path) {
    MDB_stat statistics{};
    const int error = mdb_stat(transaction, main_dbi, &statistics);
    if (error != MDB_SUCCESS) {
        fail(path, "read", error);
    }
    return statistics.ms_entries == 0;
}

bool find(MDB_txn* transaction, const std::string& path, std::uint64_t key,
          std::string_view& value) {
    MDB_val name = to_val(key);
    MDB_val found{};
    const int error = mdb_get(transaction, main_dbi, &name, &found);
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) {
        fail(path, "read", error);
    }
    value = error == MDB_SUCCESS ? to_view(found) : std::string_view();
    return error == MDB_SUCCESS;
}

void put(MDB_txn* transaction, const std::string& path, std::uint64_t key, std::string_view value) {
    MDB_val name = to_val(key);
    MDB_val data = to_val(value);
    require_written(mdb_put(transaction, main_dbi, &name, &data, 0), path);
}

void append(MDB_txn* transaction, const std::string& path, std::uint64_t key,
            std::string_view value) {
    MDB_val name = to_val(key);
    MDB_val data = to_val(value);
    const int error = mdb_put(transaction, main_dbi, &name, &data, MDB_APPEND);
    if (error == MDB_KEYEXIST) {
        throw OutOfOrder();
    }
    require_written(error, path);
}

void erase(MDB_txn* transaction, const std::string& path, std::uint64_t key) {
    MDB_val name = to_val(key);
    require_written(mdb_del(transaction, main_dbi, &name, nullptr), path);
}

}  // namespace token_auth::store_writer
