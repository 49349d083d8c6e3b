// Records to be written and erased in one transaction, held in memory in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store_writer/notes.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {

// More changes than one transaction should hold; nothing was written.
class TooManyChanges : public std::runtime_error {
  public:
    TooManyChanges() : std::runtime_error("too much of the store changes") {}
};

class ChangeSet {
  public:
    // Calls that add a change throw TooManyChanges beyond `changes_max`.
    explicit ChangeSet(std::uint64_t changes_max) : changes_max_(changes_max) {}

    // A whole record.
    void put(std::uint64_t key, std::string_view value) { add(Change::put, key, value); }
    void erase(std::uint64_t key) { add(Change::erase, key, {}); }

    // One entry, beside others under its key.
    void put_token(std::uint64_t key, std::string_view entry) {
        add(Change::put_token, key, entry);
    }
    void erase_token(const Digest& digest);
    void put_user(std::uint64_t key, std::string_view entry) { add(Change::put_user, key, entry); }
    void erase_user(std::string_view user) { add(Change::erase_user, user_key(user), user); }
    void suspend(std::string_view organization) { add(Change::suspend, 0, organization); }
    void resume(std::string_view organization) { add(Change::resume, 0, organization); }
    // The same for an organization that the source does not have any more.
    void forget(std::string_view organization) { add(Change::forget, 0, organization); }
    // A row that is left out, and one that is not any more (see notes.hpp).
    void put_note(std::string_view id, std::string_view entry) {
        add(Change::put_note, note_key(id), entry);
    }
    void erase_note(std::string_view id) { add(Change::erase_note, note_key(id), id); }

    void clear() noexcept;

    std::uint64_t changes() const noexcept { return changes_; }
    std::size_t bytes() const noexcept { return bytes_.size(); }

    // Makes the calls above on the target, in their order.
    template <typename Target>
    void apply(Target& target) const {
        std::string_view rest = bytes_;
        for (Head head; take(rest, head);) {
            const std::string_view value = rest.substr(0, head.size);
            rest.remove_prefix(head.size);
            apply(target, head, value);
        }
    }

    // Calls put(key, value) with each change; all must be whole records that are put.
    template <typename Put>
    void for_each_put(const Put& put) const {
        std::string_view rest = bytes_;
        for (Head head; take(rest, head);) {
            put(head.key, rest.substr(0, head.size));
            rest.remove_prefix(head.size);
        }
    }

  private:
    enum class Change : std::uint32_t {
        put,
        erase,
        put_token,
        erase_token,
        put_user,
        erase_user,
        suspend,
        resume,
        forget,
        put_note,
        erase_note
    };
    struct Head {
        Change change;
        std::uint32_t size;
        std::uint64_t key;
    };

    void add(Change change, std::uint64_t key, std::string_view value);
    static bool take(std::string_view& rest, Head& head) noexcept;

    template <typename Target>
    static void apply(Target& target, const Head& head, std::string_view value) {
        switch (head.change) {
            case Change::put:
                return target.put(head.key, value);
            case Change::erase:
                return target.erase(head.key);
            case Change::put_token:
                return target.put_token(head.key, value);
            case Change::erase_token:
                return target.erase_token(head.key, value);
            case Change::put_user:
                return target.put_user(head.key, value);
            case Change::erase_user:
                return target.erase_user(head.key, value);
            case Change::suspend:
                return target.suspend(value, true);
            case Change::resume:
                return target.suspend(value, false);
            case Change::forget:
                return target.forget(value);
            case Change::put_note:
                return target.put_note(head.key, value);
            case Change::erase_note:
                return target.erase_note(head.key, value);
        }
    }

    std::uint64_t changes_max_;
    std::uint64_t changes_ = 0;
    std::string bytes_;  // Head, value; again and again
};

}  // namespace token_auth::store_writer
