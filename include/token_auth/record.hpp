// The records of the store: how they are laid out in LMDB keys and values.
//
// One unnamed LMDB database holds them all; a key starts with a tag that says what it is.
//   'M'                              meta
//   'm' user NUL organization        membership
//   'o' organization                 organization
//   'r' role                         role
//   't' digest (32 bytes)            token
//   'u' user                         user (human; technical users live in their token's record)
// Integers are little-endian, wherever they stand: LMDB aligns values to two bytes only, so
// everything is read byte by byte or copied.
//
// Decoders check every bound and every byte they rely on, and take a value of another length,
// version or tag for no record at all (false). Views point into the value that was decoded.
// Encoders write into a caller's buffer and return the number of bytes, 0 if a field is out of
// its bounds or the buffer is too small.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "token_auth/digest.hpp"

namespace token_auth {

inline constexpr std::uint16_t format_version = 1;

// The first byte of a key.
enum Tag : char {
    tag_meta = 'M',
    tag_membership = 'm',
    tag_organization = 'o',
    tag_role = 'r',
    tag_token = 't',
    tag_user = 'u',
};

// A bit each, so that a set of kinds is an unsigned.
enum Kind : std::uint8_t {
    kind_organization = 1,
    kind_group = 2,
    kind_user = 4,
};
inline constexpr unsigned kinds_all = kind_organization | kind_group | kind_user;

// "organization", "group", "user"; empty for anything else.
std::string_view kind_name(Kind kind) noexcept;

// The kind of that name; false if there is none.
bool kind_of_name(std::string_view name, Kind& out) noexcept;

inline constexpr std::size_t name_max = 255;         // bytes of a token's name (UTF-8)
inline constexpr std::size_t scopes_max = 8192;      // bytes of a space-separated list of scopes
inline constexpr std::size_t allow_max = 64;         // blocks in an allow-list
inline constexpr std::size_t position_max = 512;     // bytes of a position in the change log
inline constexpr std::size_t value_max = 16 * 1024;  // bytes: no record is larger
inline constexpr std::size_t key_buffer_size = 160;  // bytes: no key is longer

struct TokenRecord {
    Kind kind = kind_organization;
    bool revoked = false;
    bool subject_disabled = false;  // the technical user of an organization or group token
    KeyId key_id = no_key;          // the key of its digest
    std::int64_t not_before = 0;    // Unix seconds; 0: from always
    std::int64_t expires = 0;       // Unix seconds; 0: never
    // In a decoded record the texts stand in this order, one right behind the other.
    std::string_view id{};
    std::string_view subject{};
    std::string_view organization{};  // empty for a user token
    std::string_view group{};         // empty but for a group token
    std::string_view role{};          // empty: none
    std::string_view name{};
    std::string_view scopes{};  // space-separated; empty: none of its own
    std::string_view allow{};   // encoded CIDR blocks; empty: any address
};

struct OrganizationRecord {
    bool suspended = false;
};

struct UserRecord {
    bool disabled = false;
};

struct MembershipRecord {
    std::string_view role{};
};

struct RoleRecord {
    std::string_view scopes{};  // space-separated
};

// How many records of each sort the store holds.
struct Counts {
    std::uint64_t tokens = 0;
    std::uint64_t users = 0;
    std::uint64_t organizations = 0;
    std::uint64_t memberships = 0;
    std::uint64_t roles = 0;
};
inline bool operator==(const Counts& a, const Counts& b) noexcept {
    return a.tokens == b.tokens && a.users == b.users && a.organizations == b.organizations &&
           a.memberships == b.memberships && a.roles == b.roles;
}
inline bool operator!=(const Counts& a, const Counts& b) noexcept {
    return !(a == b);
}

// How many tokens have a digest under a key (no_key: plain SHA-256).
struct KeyUse {
    KeyId id = no_key;
    std::uint64_t tokens = 0;
};
inline constexpr std::size_t key_uses_max = 16;

struct MetaRecord {
    std::uint64_t generation = 0;  // grows with every commit, across rebuilds too
    std::int64_t synced = 0;       // Unix milliseconds: when the last completed sync ended
    std::int64_t created = 0;      // Unix milliseconds: when this store was first written
    Counts counts{};
    std::array<KeyUse, key_uses_max> key_uses{};
    std::size_t key_use_count = 0;
    std::string_view source{};    // identity of the registry this store mirrors
    std::string_view position{};  // how far in its change log, in the source's own form
};

// Why a meta record was not taken.
enum class MetaProblem : std::uint8_t { none, not_a_store, other_version, damaged };

using KeyBuffer = std::array<char, key_buffer_size>;

std::string_view meta_key() noexcept;
std::string_view token_key(const Digest& digest, KeyBuffer& buffer) noexcept;
bool is_token_key(std::string_view key) noexcept;

// Whether names are known to be identifiers, as those of decoded records are.
enum class Names : bool { unchecked, checked };

// These give an empty view if a part is no identifier, which `checked` ones are not asked.
std::string_view organization_key(std::string_view organization, KeyBuffer& buffer,
                                  Names names = Names::unchecked) noexcept;
std::string_view user_key(std::string_view user, KeyBuffer& buffer,
                          Names names = Names::unchecked) noexcept;
std::string_view role_key(std::string_view role, KeyBuffer& buffer,
                          Names names = Names::unchecked) noexcept;
std::string_view membership_key(std::string_view user, std::string_view organization,
                                KeyBuffer& buffer, Names names = Names::unchecked) noexcept;

bool decode(std::string_view value, TokenRecord& out) noexcept;
bool decode(std::string_view value, OrganizationRecord& out) noexcept;
bool decode(std::string_view value, UserRecord& out) noexcept;
bool decode(std::string_view value, MembershipRecord& out) noexcept;
bool decode(std::string_view value, RoleRecord& out) noexcept;
MetaProblem decode(std::string_view value, MetaRecord& out) noexcept;

std::size_t encode(const TokenRecord& record, char* buffer, std::size_t size) noexcept;
std::size_t encode(const OrganizationRecord& record, char* buffer, std::size_t size) noexcept;
std::size_t encode(const UserRecord& record, char* buffer, std::size_t size) noexcept;
std::size_t encode(const MembershipRecord& record, char* buffer, std::size_t size) noexcept;
std::size_t encode(const RoleRecord& record, char* buffer, std::size_t size) noexcept;
std::size_t encode(const MetaRecord& record, char* buffer, std::size_t size) noexcept;

}  // namespace token_auth
