// What one write transaction does to the records of the store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store_writer/lmdb.hpp"
#include "store_writer/meta.hpp"

namespace token_auth::store_writer {

// What a transaction took out of the store, so that it can be put back: see tokensync/brake.hpp.
struct Removed {
    struct Token {
        std::uint64_t key;
        std::string entry;
    };
    std::vector<Token> tokens;
    std::vector<std::string> users;      // entries of users' records
    std::vector<std::string> suspended;  // organizations that the source does not have any more

    void add_token(std::uint64_t key, std::string_view entry) {
        tokens.push_back({key, std::string(entry)});
    }
    // Of a whole value, what `kept` has not.
    void add_tokens(std::uint64_t key, std::string_view value, std::string_view kept);
    void add_users(std::string_view value, std::string_view kept);
};

struct Tally {
    std::uint64_t written = 0;  // records that are new or differ
    std::uint64_t erased = 0;
    bool roles_changed = false;
    Removed removed;
    std::vector<std::string> added;  // ids of tokens that are new, if others are held back

    bool changed() const noexcept { return written + erased > 0; }
};

// Takes a ChangeSet. Records that are in the store as they are given are not written again. Throws
// MapFull, StoreError and DamagedRecord.
class WriteTxn {
  public:
    // Counts the changes in `contents`; null: somebody counted before. `note_added`: also which
    // tokens are new.
    WriteTxn(MDB_txn* transaction, const std::string& path, Contents* contents, bool note_added)
        : transaction_(transaction), path_(path), contents_(contents), note_added_(note_added) {}

    // From here on.
    void count_in(Contents& contents) noexcept { contents_ = &contents; }

    void put(std::uint64_t key, std::string_view value);
    void erase(std::uint64_t key) { replace(key, {}); }
    void put_token(std::uint64_t key, std::string_view entry);
    void erase_token(std::uint64_t key, std::string_view digest);
    void put_user(std::uint64_t key, std::string_view entry);
    void erase_user(std::uint64_t key, std::string_view user);
    void suspend(std::string_view organization, bool suspended);
    void forget(std::string_view organization);
    void put_note(std::uint64_t key, std::string_view entry);
    void erase_note(std::uint64_t key, std::string_view id);

    Tally& tally() noexcept { return tally_; }

  private:
    std::string_view value_of(std::uint64_t key) const;
    // Erases it if the value is empty.
    void replace(std::uint64_t key, std::string_view value);

    MDB_txn* transaction_;
    const std::string& path_;
    Contents* contents_;
    bool note_added_;
    Tally tally_;
};

}  // namespace token_auth::store_writer
