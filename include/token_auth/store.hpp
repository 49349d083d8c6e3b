// The read side of the store: an LMDB environment's data.mdb that tokensync writes.
//
// It takes no lock and writes nothing. LMDB's writer of transaction N+1 uses again only pages that
// transactions before N freed, so a reader looks up in the newest transaction N, copies out what it
// found, and asks whether N is still the newest: then no page of N was written meanwhile. Else it
// begins again. (mdb_find_oldest and mdb_page_alloc in mdb.c of LMDB 0.9; the writer opens with
// MDB_NOLOCK.) The store's file system must keep maps and writes one: not NFS.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "token_auth/record.hpp"

namespace token_auth {

inline constexpr std::size_t problem_size = 512;  // bytes of a problem's text, its NUL included

enum class Lookup : std::uint8_t { found, not_found, broken };

// What one read says; torn: it is to be done again.
enum class Found : std::uint8_t { found, absent, torn };

// Which file is at a path.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileIdentity& other) const noexcept {
        return device == other.device && inode == other.inode;
    }
};

// Of data.mdb in a directory; false (errno set) if there is none to be seen.
bool store_identity(const char* directory, FileIdentity& out) noexcept;

// How large a store is.
struct StoreSize {
    std::uint64_t file = 0;     // bytes of data.mdb
    std::uint64_t used = 0;     // bytes of pages up to the last one
    std::uint64_t unused = 0;   // bytes of those that hold nothing now
    std::uint64_t entries = 0;  // keys
};

// A run of records, copied out: see Snapshot::run.
struct Run {
    std::size_t count = 0;
    std::uint64_t next = 0;   // the key to go on from, unless it is at the end
    bool at_end = false;      // no record follows
    std::size_t missing = 0;  // no record was taken: a buffer of this size takes one
};

// A role, and the requirements that it met since it was read; see Requirements::number.
struct Role : RoleEntry {
    mutable std::uint64_t meets = 0;
};

class Store;
struct StoreParts;

// What a pass of Store::read may ask. Results count only if the pass as a whole does.
class Snapshot {
  public:
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    const StoreMeta& meta() const noexcept;

    // `out` is a view of a copy that the store holds until the next token is asked for.
    Found token(const Digest& digest, TokenView& out) noexcept;

    // A user token's membership, wherever it stands. `out.organization` is not set.
    Found membership(const TokenView& user_token, std::string_view organization,
                     Membership& out) noexcept;

    // found: the organization is suspended.
    Found suspended(std::uint32_t organization_number, std::string_view organization) noexcept;

    // Of a number; null if there is no record of it. Holds until the store's next pass.
    const Role* role(std::uint16_t number) const noexcept;

    // Copies records from the key `from` on, as many as the buffer takes: key 8, size of the value
    // 8, value. See next_record().
    Found run(std::uint64_t from, char* buffer, std::size_t size, Run& out) noexcept;

    Found size(StoreSize& out) noexcept;

  private:
    friend class Store;
    explicit Snapshot(StoreParts& parts) noexcept : parts_(parts) {}

    StoreParts& parts_;
};

// Takes the first record off a run.
bool next_record(std::string_view& run, std::uint64_t& key, std::string_view& value) noexcept;

// One open store. Not for use by two threads at once. If a read is broken and is_readable() says
// no, it must be closed.
class Store {
  public:
    Store() noexcept;
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Opens the store in a directory and checks that it is one, whole, and of this format. If not,
    // it stays closed and problem() says what is wrong and what to do about it.
    bool open(const char* directory) noexcept;
    void close() noexcept;
    bool is_open() const noexcept;
    // After a read that was broken: whether others may succeed, as only what it met is damaged.
    bool is_readable() const noexcept;

    const FileIdentity& identity() const noexcept;

    // To be called once a second: sees to a file that grew, became shorter or was overwritten.
    // False if it is to be closed.
    bool refresh() noexcept;

    // Runs a pass until what it read is whole and of one commit, which was the newest when the pass
    // began. `pass` takes a Snapshot& and returns Found; it may run several times, and must leave
    // anything that it is not sure to set again as it was.
    template <typename Pass>
    Lookup read(Pass&& pass) noexcept {
        for (unsigned attempts = 0; begin(attempts);) {
            Snapshot snapshot(*parts_);
            const Found found = pass(snapshot);
            if (is_whole(found, attempts)) {
                return found == Found::found ? Lookup::found : Lookup::not_found;
            }
        }
        return Lookup::broken;
    }

    // Of the commit that was read last. Its views are the store's.
    const StoreMeta& meta() const noexcept;

    // One line, without a newline; empty if all is well.
    const char* problem() const noexcept;

  private:
    bool begin(unsigned& attempts) noexcept;
    bool begin_anew(unsigned& attempts) noexcept;
    bool is_whole(Found found, unsigned& attempts) noexcept;

    std::unique_ptr<StoreParts> parts_;
};

}  // namespace token_auth
