#include "store_writer/lmdb.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "store_writer/error.hpp"
#include "token_auth/rescue.hpp"
#include "token_auth/store.hpp"

namespace token_auth::store_writer {
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
    static Rescue rescue;  // to the end of the program
    rescue.start(made);
    error = mdb_env_set_maxreaders(made, store_max_readers);
    if (error == MDB_SUCCESS) {
        error = guarded([&] { return mdb_env_open(made, path.c_str(), flags, 0640); });
    }
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
    int error = guarded([&] { return mdb_env_info(environment, &info); });
    if (error == MDB_SUCCESS) {
        error = guarded([&] { return mdb_env_stat(environment, &statistics); });
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

int get(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept {
    return guarded([&] { return mdb_get(transaction, main_dbi, &key, &value); });
}

int put(MDB_txn* transaction, MDB_val& key, MDB_val& value) noexcept {
    return guarded([&] { return mdb_put(transaction, main_dbi, &key, &value, 0); });
}

int erase(MDB_txn* transaction, MDB_val& key) noexcept {
    return guarded([&] { return mdb_del(transaction, main_dbi, &key, nullptr); });
}

int cursor_get(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op operation) noexcept {
    return guarded([&] { return mdb_cursor_get(cursor, &key, &value, operation); });
}

bool is_empty(MDB_txn* transaction, const std::string& path) {
    MDB_stat statistics{};
    const int error = mdb_stat(transaction, main_dbi, &statistics);
    if (error != MDB_SUCCESS) {
        fail(path, "read", error);
    }
    return statistics.ms_entries == 0;
}

TransactionHandle begin(MDB_env* environment, const std::string& path, unsigned flags,
                        const char* doing) {
    MDB_txn* made = nullptr;
    const auto attempt = [&] {
        return guarded([&] { return mdb_txn_begin(environment, nullptr, flags, &made); });
    };
    int error = attempt();
    if (error == MDB_MAP_RESIZED) {
        // Nothing of it is in use here.
        error = mdb_env_set_mapsize(environment, 0);
        if (error == MDB_SUCCESS) {
            error = attempt();
        }
    }
    TransactionHandle transaction(made);
    MDB_dbi dbi = 0;
    if (error == MDB_SUCCESS) {
        error = guarded([&] { return mdb_dbi_open(made, nullptr, 0, &dbi); });
    }
    if (error != MDB_SUCCESS) {
        fail(path, doing, error);
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

}  // namespace token_auth::store_writer
