// An LMDB environment of a test's own, written with liblmdb as tokensync writes: integer keys, no
// lock. The directory goes with it.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace token_auth::unit {

// What sysconf(_SC_PAGESIZE) says from now on, which LMDB takes for the size of its pages; 0: the
// truth.
void set_page_size(long bytes);

class LmdbFile {
  public:
    explicit LmdbFile(std::size_t map_size = std::size_t{1} << 30, unsigned flags = MDB_INTEGERKEY);
    ~LmdbFile();
    LmdbFile(const LmdbFile&) = delete;
    LmdbFile& operator=(const LmdbFile&) = delete;

    const std::string& directory() const { return directory_; }
    std::string data() const { return directory_ + "/data.mdb"; }

    // One transaction. Ends the program if LMDB refuses.
    void write(const std::function<void(MDB_txn*)>& change);
    static void put(MDB_txn* txn, std::uint64_t key, std::string_view value);
    static bool remove(MDB_txn* txn, std::uint64_t key);
    static void clear(MDB_txn* txn);
    static bool get(MDB_txn* txn, std::uint64_t key, std::string_view& value);

    MDB_env* environment() { return environment_; }

  private:
    std::string directory_;
    MDB_env* environment_ = nullptr;
    unsigned flags_;
};

// A file's bytes, mapped.
class Mapped {
  public:
    explicit Mapped(const std::string& path);
    ~Mapped();
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;
    const char* data() const { return data_; }
    std::size_t size() const { return size_; }

  private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace token_auth::unit
