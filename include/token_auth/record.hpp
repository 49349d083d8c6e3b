// The records of the store, format 2: how they are laid out as keys and values.
//
// All stand in LMDB's main database, which has MDB_INTEGERKEY: keys are native 64-bit integers.
//
//   0 | 63 bits of the token's digest       token entries
//   1 | 63 bits of SHA-256 of the user id   user records; below the reserved keys
//   0xffffffff00000000 + bucket             suspended organizations of a bucket (20 bits)
//   0xffffffff80000000 + 30 bits of a hash  rows of the registry that are left out; tokensync's own
//   0xffffffffffff0000 + number             role (0 to 0xfffe)
//   0xffffffffffffffff                      meta record, or the marker of an unfinished load
//
// Integers in values are little-endian and unaligned. Values of tokens and users may hold several
// entries, one behind the other, if their keys are equal.
//
// Decoders check every bound, also in memory that is written meanwhile, and take what does not fit
// for no record (false). Views point into the value that was decoded. Encoders write into a
// caller's buffer and return the number of bytes, 0 if a field is out of its bounds or the buffer
// is too small.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "token_auth/address.hpp"
#include "token_auth/digest.hpp"
#include "token_auth/load.hpp"

namespace token_auth {

inline constexpr std::uint16_t store_format = 2;

// A bit each, so that a set of kinds is an unsigned.
enum Kind : std::uint8_t {
    kind_organization = 1,
    kind_group = 2,
    kind_user = 4,
};
inline constexpr unsigned kinds_all = kind_organization | kind_group | kind_user;

// "organization", "group", "user"; empty for anything else.
std::string_view kind_name(Kind kind) noexcept;

// The kind of that name; false where there is none.
bool kind_of_name(std::string_view name, Kind& out) noexcept;

inline constexpr std::size_t name_max = 255;       // bytes of a token's name (UTF-8)
inline constexpr std::size_t scopes_max = 8192;    // bytes of a space-separated list of scopes
inline constexpr std::size_t allow_max = 64;       // blocks in an allow-list
inline constexpr std::size_t position_max = 512;   // bytes of a position in the change log
inline constexpr std::size_t memberships_max = 4;  // in a token's entry; more: a user record
inline constexpr std::size_t token_entry_max = 12 * 1024;  // bytes: no entry is larger
inline constexpr std::size_t role_record_max = 9 * 1024;   // likewise
inline constexpr std::size_t meta_record_max = 1024;       // likewise
inline constexpr std::uint16_t no_role = 0xffff;
inline constexpr std::uint16_t role_number_max = 0xfffe;

// Keys.

inline constexpr std::uint64_t first_user_key = std::uint64_t{1} << 63;
inline constexpr std::uint64_t first_suspension_key = 0xffffffff00000000;  // the first reserved one
inline constexpr std::uint64_t first_note_key = 0xffffffff80000000;  // see store_writer/notes.hpp
inline constexpr std::uint64_t first_role_key = 0xffffffffffff0000;
inline constexpr std::uint64_t meta_record_key = 0xffffffffffffffff;

inline std::uint64_t token_key(const Digest& digest) noexcept {
    std::uint64_t head = 0;
    std::memcpy(&head, digest.data(), sizeof(head));
    return __builtin_bswap64(head) >> 1;
}
std::uint64_t user_key(std::string_view user) noexcept;
// The first four bytes of SHA-256 of its id. Two organizations may share one: compare names too.
std::uint32_t organization_number(std::string_view organization) noexcept;
inline constexpr std::uint64_t suspension_key(std::uint32_t organization_number) noexcept {
    return first_suspension_key + (organization_number >> 12);
}
inline constexpr std::uint64_t role_key(std::uint16_t number) noexcept {
    return first_role_key + number;
}

// Scopes stand sorted, each once, one space between two. Writes a list so, into a buffer of the
// list's size; returns the number of bytes, which is 0 for a list without a word. False for more
// than 4,096 words.
bool canonical_scopes(std::string_view list, char* buffer, std::size_t& size) noexcept;
bool are_canonical_scopes(std::string_view list) noexcept;

// Token entries.

struct Membership {
    std::string_view organization{};
    std::uint32_t number = 0;  // organization_number(organization)
    std::uint16_t role = no_role;
};

// What a token's entry says.
struct TokenEntry {
    Digest digest{};
    Kind kind = kind_organization;
    bool revoked = false;
    bool disabled = false;        // its user is, the technical one of other kinds too
    bool held_back = false;       // its removal is: the registry does not give it any more
    std::uint8_t key_index = 0;   // of the digest's key in StoreMeta::keys
    std::int64_t expires = 0;     // Unix seconds; 0: never
    std::int64_t not_before = 0;  // Unix seconds; 0: from always
    std::uint32_t organization_number = 0;  // of its organization; 0 for a user token
    std::uint16_t role = no_role;           // likewise: a user's stands in the membership
    std::uint64_t user_key = 0;             // user token: the key of its user
    std::string_view id{};
    std::string_view organization{};  // empty for a user token
    std::string_view name{};
    std::string_view subject{};  // empty: "tu-" and the id
    std::string_view group{};    // empty but for a group token
    std::string_view scopes{};   // canonical; empty: none of its own
    std::string_view allow{};    // encoded CIDR blocks; empty: any address
    std::array<Membership, memberships_max> memberships{};
    std::size_t membership_count = 0;
    bool many_memberships = false;  // they stand in the user's record, and none here
};

// `followed`: another entry stands behind it in the same value.
std::size_t encode(const TokenEntry& entry, bool followed, char* buffer, std::size_t size) noexcept;

namespace token_layout {

// A token's entry: offsets of its fixed part.
inline constexpr std::size_t digest_at = 0;
inline constexpr std::size_t digest_rest = digest_size - 8;
inline constexpr std::size_t expires_at = 24;
inline constexpr std::size_t number_at = 32;
inline constexpr std::size_t role_at = 36;
inline constexpr std::size_t flags_at = 40;
inline constexpr std::size_t id_size_at = 42;
inline constexpr std::size_t organization_size_at = 43;
inline constexpr std::size_t name_size_at = 44;
inline constexpr std::size_t subject_size_at = 45;
inline constexpr std::size_t key_index_at = 46;
inline constexpr std::size_t version_at = 47;
inline constexpr std::size_t texts_at = 48;

inline constexpr unsigned kind_bits = 0x3;  // 0 organization, 1 group
inline constexpr unsigned user_kind = 2;
inline constexpr unsigned revoked_bit = 1U << 2;
inline constexpr unsigned disabled_bit = 1U << 3;
inline constexpr unsigned digest_bit = 1U << 4;  // the one that the key leaves out
inline constexpr unsigned group_bit = 1U << 5;
inline constexpr unsigned not_before_bit = 1U << 6;
inline constexpr unsigned scopes_bit = 1U << 7;
inline constexpr unsigned allow_bit = 1U << 8;
inline constexpr unsigned memberships_bit = 1U << 9;
inline constexpr unsigned many_memberships_bit = 1U << 10;
inline constexpr unsigned followed_bit = 1U << 11;
inline constexpr unsigned held_back_bit = 1U << 12;
inline constexpr unsigned known_bits = (1U << 13) - 1;
inline constexpr unsigned optional_bits =
    group_bit | not_before_bit | scopes_bit | allow_bit | memberships_bit;

}  // namespace token_layout

// One entry of a value, decoded as far as it is asked. The value must not change meanwhile: copy it
// out of a store's map first.
class TokenView {
  public:
    TokenView() noexcept = default;

    // Takes the entry at the front of `value`; false if it is none.
    bool parse(std::string_view value) noexcept;

    // The entry's own bytes. The next entry, if is_followed(), stands right behind.
    std::string_view bytes() const noexcept { return {at_, size_}; }
    bool is_followed() const noexcept;

    // Whether it is the digest's, if it stands under token_key(digest).
    bool is_of(const Digest& digest) const noexcept;

    Kind kind() const noexcept;
    bool is_user() const noexcept;
    bool revoked() const noexcept;
    bool disabled() const noexcept;
    bool held_back() const noexcept;
    std::uint8_t key_index() const noexcept;
    std::int64_t expires() const noexcept;
    std::int64_t not_before() const noexcept;
    std::uint32_t organization_number() const noexcept;
    std::uint16_t role() const noexcept;
    std::uint64_t user_key() const noexcept;
    std::string_view id() const noexcept;
    std::string_view organization() const noexcept;
    std::string_view name() const noexcept;
    std::string_view subject() const noexcept;  // as it stands: empty for "tu-" and the id
    std::string_view group() const noexcept;
    std::string_view scopes() const noexcept;
    std::string_view allow() const noexcept;
    bool has_many_memberships() const noexcept;
    std::size_t membership_count() const noexcept;
    Membership membership(std::size_t index) const noexcept;
    // False if the token's entry names no such membership.
    bool find_membership(std::string_view organization, Membership& out) const noexcept;

    // Copies the entry into a buffer of its size; the view of the copy.
    TokenView copied_to(char* buffer) const noexcept;

    // All of it. `key` is the one that the value stands under.
    TokenEntry entry(std::uint64_t key) const noexcept;

  private:
    bool parse_optional(std::string_view value, unsigned flags) noexcept;

    const char* at_ = nullptr;
    std::uint16_t size_ = 0;
    // Offsets of what only some entries have; 0: this one has not.
    std::uint16_t group_ = 0;
    std::uint16_t not_before_ = 0;
    std::uint16_t scopes_ = 0;
    std::uint16_t allow_ = 0;
    std::uint16_t memberships_ = 0;
};

// Of an entry's parts.

inline bool TokenView::is_followed() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::followed_bit) != 0;
}

inline bool TokenView::is_of(const Digest& digest) const noexcept {
    const bool bit =
        (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::digest_bit) != 0;
    return std::memcmp(at_ + token_layout::digest_at, digest.data() + 8,
                       token_layout::digest_rest) == 0 &&
           bit == ((digest[7] & 1) != 0);
}

inline Kind TokenView::kind() const noexcept {
    return static_cast<Kind>(
        1U << (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::kind_bits));
}
inline bool TokenView::is_user() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::kind_bits) ==
           token_layout::user_kind;
}
inline bool TokenView::revoked() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::revoked_bit) != 0;
}
inline bool TokenView::disabled() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::disabled_bit) != 0;
}
inline bool TokenView::held_back() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) & token_layout::held_back_bit) != 0;
}
inline std::uint8_t TokenView::key_index() const noexcept {
    return load<std::uint8_t>(at_ + token_layout::key_index_at);
}
inline std::int64_t TokenView::expires() const noexcept {
    return load<std::int64_t>(at_ + token_layout::expires_at);
}
inline std::int64_t TokenView::not_before() const noexcept {
    return not_before_ == 0 ? 0 : load<std::int64_t>(at_ + not_before_);
}
inline std::uint32_t TokenView::organization_number() const noexcept {
    return is_user() ? 0 : load<std::uint32_t>(at_ + token_layout::number_at);
}
inline std::uint16_t TokenView::role() const noexcept {
    return is_user() ? no_role : load<std::uint16_t>(at_ + token_layout::role_at);
}
inline std::uint64_t TokenView::user_key() const noexcept {
    return is_user() ? load<std::uint64_t>(at_ + token_layout::number_at) : 0;
}

inline std::string_view TokenView::id() const noexcept {
    return {at_ + token_layout::texts_at, load<std::uint8_t>(at_ + token_layout::id_size_at)};
}
inline std::string_view TokenView::organization() const noexcept {
    return {id().data() + id().size(),
            load<std::uint8_t>(at_ + token_layout::organization_size_at)};
}
inline std::string_view TokenView::name() const noexcept {
    const std::string_view before = organization();
    return {before.data() + before.size(), load<std::uint8_t>(at_ + token_layout::name_size_at)};
}
inline std::string_view TokenView::subject() const noexcept {
    const std::string_view before = name();
    return {before.data() + before.size(), load<std::uint8_t>(at_ + token_layout::subject_size_at)};
}
inline std::string_view TokenView::group() const noexcept {
    return group_ == 0 ? std::string_view()
                       : std::string_view(at_ + group_ + 1, load<std::uint8_t>(at_ + group_));
}
inline std::string_view TokenView::scopes() const noexcept {
    return scopes_ == 0 ? std::string_view()
                        : std::string_view(at_ + scopes_ + 2, load<std::uint16_t>(at_ + scopes_));
}
inline std::string_view TokenView::allow() const noexcept {
    return allow_ == 0
               ? std::string_view()
               : std::string_view(at_ + allow_ + 1, cidr_size * load<std::uint8_t>(at_ + allow_));
}

inline bool TokenView::has_many_memberships() const noexcept {
    return (load<std::uint16_t>(at_ + token_layout::flags_at) &
            token_layout::many_memberships_bit) != 0;
}
inline std::size_t TokenView::membership_count() const noexcept {
    return memberships_ == 0 ? 0 : load<std::uint8_t>(at_ + memberships_);
}

// For whoever puts entries together: sets what is_followed() says. `entry` was encoded.
void set_followed(char* entry, bool followed) noexcept;

// The subject of a token: the one given, or "tu-" and its id. The buffer has subject_max bytes.
inline constexpr std::size_t subject_max = 67;
std::string_view subject_of(const TokenView& token, char* buffer) noexcept;

// User records: only for users with more than memberships_max memberships.

// Memberships must be sorted by number, then by organization, and differ. The size that a record
// takes; 0 if it is more than 4 GiB.
std::size_t user_record_size(std::string_view user, const Membership* memberships,
                             std::size_t count) noexcept;
std::size_t encode_user(std::string_view user, const Membership* memberships, std::size_t count,
                        char* buffer, std::size_t size) noexcept;

// The entry at the front of a value of users whose keys are equal. Also in memory that changes
// meanwhile: then what is found is anything, but within the value.
struct UserView {
    std::string_view user{};
    std::string_view bytes{};  // its own; the next one stands right behind
    std::uint32_t count = 0;

    bool parse(std::string_view value) noexcept;
    // False if `index` is out of bounds, or a membership does not stand within the record.
    bool membership(std::uint32_t index, Membership& out) const noexcept;
    // By binary search. `out.organization` is the view that was given. `sound` is set to false if
    // the record is damaged.
    bool find(std::uint32_t number, std::string_view organization, Membership& out,
              bool& sound) const noexcept;
};

// Suspended organizations of one bucket: ids, sorted. There is no record without one.
std::size_t encode_suspensions(const std::string_view* organizations, std::size_t count,
                               char* buffer, std::size_t size) noexcept;
// Takes the first id off a record's rest. Begin with suspensions(): false if it is no record.
bool suspensions(std::string_view value, std::uint32_t& count, std::string_view& rest) noexcept;
bool next_suspension(std::string_view& rest, std::string_view& organization) noexcept;

// Roles.

struct RoleEntry {
    bool exists = false;  // false: it is only named, and grants nothing
    std::string_view name{};
    std::string_view scopes{};  // canonical
};

std::size_t encode(const RoleEntry& role, char* buffer, std::size_t size) noexcept;
bool decode(std::string_view value, RoleEntry& out) noexcept;

// The meta record.

struct StoreCounts {
    std::uint64_t tokens = 0;
    std::uint64_t users = 0;      // that have a record
    std::uint64_t roles = 0;      // that exist
    std::uint64_t suspended = 0;  // organizations
    std::uint64_t left_out = 0;   // rows of the registry
    std::uint64_t held_back = 0;  // tokens, of those above
};

// How many tokens have a digest under a key (no_key: plain SHA-256).
struct KeyUse {
    KeyId id = no_key;
    std::uint64_t tokens = 0;
};
inline constexpr std::size_t key_uses_max = 16;

// Generations are milliseconds since 1970 or somewhat more: 2^43 is in the year 2248. A record of a
// higher one is damaged. If it were served, no later store could be.
inline constexpr std::uint64_t generation_max = std::uint64_t{1} << 43;

struct StoreMeta {
    std::uint64_t transaction = 0;       // mdb_txn_id of the transaction that wrote it
    std::uint64_t generation = 0;        // grows with every commit, across rebuilds too
    std::int64_t synced = 0;             // Unix milliseconds: when the last completed sync ended
    std::int64_t created = 0;            // Unix milliseconds: when this store was first written
    std::uint64_t roles_generation = 0;  // of the last change of any role's record
    StoreCounts counts{};
    // Keys of digests by TokenView::key_index(). An index without tokens may be used again.
    std::array<KeyUse, key_uses_max> keys{};
    std::size_t keys_end = 0;     // index behind the last key with tokens; decode() sets it
    std::string_view source{};    // identity of the registry this store mirrors
    std::string_view position{};  // how far in its change log, in the source's own form
};

// What stands under meta_record_key.
enum class MetaState : std::uint8_t { whole, unfinished, other_format, not_a_store, damaged };

std::size_t encode(const StoreMeta& meta, char* buffer, std::size_t size) noexcept;
MetaState decode(std::string_view value, StoreMeta& out) noexcept;
// The marker of a load that was begun and not finished.
std::string_view unfinished_marker() noexcept;

}  // namespace token_auth
