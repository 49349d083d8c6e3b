// Real stores in temporary directories, written by child processes: one process must not open an
// LMDB environment twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "token_auth/digest.hpp"
#include "token_auth/record.hpp"

struct MDB_env;

namespace token_auth::unit {

// A new directory, removed with all that is in it.
class Directory {
  public:
    Directory();
    ~Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  private:
    std::string path_;
};

// Runs a function in a child process. Returns its result, the text of its exception, or how the
// child ended ("killed by signal 7").
std::string in_child(const std::function<std::string()>& function);

// A child that does its work, reports it, and lives until the holder goes.
class Holder {
  public:
    // Throws if the work throws.
    explicit Holder(const std::function<void()>& work);
    ~Holder();
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

  private:
    int pid_ = -1;
    int hold_ = -1;
};

// A record to put at a key, or, without a value, one to delete.
struct Entry {
    std::string key;
    std::string value;
};

template <typename Record>
std::string encoded(const Record& record) {
    std::string value(value_max, '\0');
    value.resize(encode(record, value.data(), value.size()));
    if (value.empty()) {
        throw std::runtime_error("the record to be written was refused by encode()");
    }
    return value;
}

// Entries for the records of a store.
Entry meta_entry(std::uint64_t generation, const std::vector<KeyUse>& key_uses = {{no_key, 1}});
Entry token_entry(const Digest& digest, const TokenRecord& record);
Entry organization_entry(std::string_view id, bool suspended = false);
Entry user_entry(std::string_view id, bool disabled = false);
Entry membership_entry(std::string_view user, std::string_view organization, std::string_view role);
Entry role_entry(std::string_view id, std::string_view scopes);

constexpr std::size_t default_map = std::size_t{4} << 20;

struct WriteOptions {
    std::size_t map_size = default_map;
    bool replace = false;       // what is there is deleted in the same transaction
    unsigned transactions = 1;  // the same entries, so many times
};

// Writes in a child, in one transaction; makes directory and environment if there are none.
void write_store(const std::string& directory, const std::vector<Entry>& entries,
                 const WriteOptions& options = {});

// For a child: an environment open for writing.
MDB_env* open_for_writing(const std::string& directory, std::size_t map_size,
                          unsigned max_readers = 0);

// The slots of a store's lock file as LMDB lists them, and how many of a list are this process's,
// with a snapshot or without one.
std::string readers_of(const std::string& path);
std::size_t slots(const std::string& list, bool with_snapshot);

// SHA-256, the way the store's keys are made.
Digest digest_of(std::string_view token);

// An organization with one token, "token".
std::vector<Entry> small_world(std::uint64_t generation);

// A plain record of an organization's token; its views point into static storage.
TokenRecord plain_record();

// The number in an environment variable.
std::uint64_t number_from(const char* variable, std::uint64_t otherwise);

// Files.
void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);
std::size_t file_size(const std::string& path);
bool file_exists(const std::string& path);

}  // namespace token_auth::unit
