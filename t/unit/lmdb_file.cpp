#include "lmdb_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

long page_size = 0;

}  // namespace

extern "C" long __sysconf(int name) noexcept;

extern "C" long sysconf(int name) noexcept {
    return name == _SC_PAGESIZE && page_size != 0 ? page_size : __sysconf(name);
}

namespace token_auth::unit {
namespace {

constexpr MDB_dbi main_dbi = 1;

void require(int error, const char* doing) {
    if (error != MDB_SUCCESS) {
        std::fprintf(stderr, "LMDB cannot %s: %s\n", doing, mdb_strerror(error));
        std::abort();
    }
}

MDB_val to_val(const std::uint64_t& key) {
    return {sizeof(key), const_cast<std::uint64_t*>(&key)};
}

}  // namespace

void set_page_size(long bytes) {
    page_size = bytes;
}

LmdbFile::LmdbFile(std::size_t map_size, unsigned flags) : flags_(flags) {
    std::string name = std::filesystem::temp_directory_path() / "token-auth-XXXXXX";
    directory_ = mkdtemp(name.data());
    require(mdb_env_create(&environment_), "create an environment");
    require(mdb_env_set_mapsize(environment_, map_size), "set the map's size");
    require(mdb_env_open(environment_, directory_.c_str(), MDB_NOLOCK | MDB_NOSYNC, 0600), "open");
}

LmdbFile::~LmdbFile() {
    mdb_env_close(environment_);
    std::filesystem::remove_all(directory_);
}

void LmdbFile::write(const std::function<void(MDB_txn*)>& change) {
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    require(mdb_txn_begin(environment_, nullptr, 0, &txn), "begin");
    require(mdb_dbi_open(txn, nullptr, flags_ | MDB_CREATE, &dbi), "open the main database");
    change(txn);
    require(mdb_txn_commit(txn), "commit");
}

void LmdbFile::put(MDB_txn* txn, std::uint64_t key, std::string_view value) {
    MDB_val name = to_val(key);
    MDB_val data{value.size(), const_cast<char*>(value.data())};
    require(mdb_put(txn, main_dbi, &name, &data, 0), "put");
}

bool LmdbFile::remove(MDB_txn* txn, std::uint64_t key) {
    MDB_val name = to_val(key);
    const int error = mdb_del(txn, main_dbi, &name, nullptr);
    require(error == MDB_NOTFOUND ? MDB_SUCCESS : error, "delete");
    return error == MDB_SUCCESS;
}

void LmdbFile::clear(MDB_txn* txn) {
    require(mdb_drop(txn, main_dbi, 0), "empty the database");
}

bool LmdbFile::get(MDB_txn* txn, std::uint64_t key, std::string_view& value) {
    MDB_val name = to_val(key);
    MDB_val data{};
    const int error = mdb_get(txn, main_dbi, &name, &data);
    require(error == MDB_NOTFOUND ? MDB_SUCCESS : error, "get");
    value = {static_cast<const char*>(data.mv_data), data.mv_size};
    return error == MDB_SUCCESS;
}

Mapped::Mapped(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (file < 0 || fstat(file, &info) != 0) {
        std::abort();
    }
    size_ = static_cast<std::size_t>(info.st_size);
    data_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0));
    ::close(file);
}

Mapped::~Mapped() {
    munmap(data_, size_);
}

}  // namespace token_auth::unit
