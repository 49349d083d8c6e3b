#include "token_auth/record.hpp"

#include <cstring>

#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth {
namespace {

constexpr std::string_view magic = "TKAUTH";

// A value begins with its format version and the tag of its key, so that a value under a wrong
// key is never taken for another sort of record.
constexpr std::uint8_t record_version = 1;

constexpr std::uint8_t token_revoked = 1;
constexpr std::uint8_t token_subject_disabled = 2;
constexpr std::size_t token_field_count = 8;
constexpr std::size_t token_head_size = 24 + 2 * token_field_count;

// A little-endian integer, wherever it stands. (A loop over its bytes takes several times as long.)
template <typename Integer>
Integer load(const char* at) noexcept {
    Integer result;
    std::memcpy(&result, at, sizeof(result));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    Integer swapped = 0;
    for (std::size_t i = 0; i < sizeof(result); ++i) {
        swapped = static_cast<Integer>((swapped << 8) | ((result >> (8 * i)) & 0xff));
    }
    return swapped;
#else
    return result;
#endif
}

// Reads little-endian integers and counted strings off a value; once a read is out of bounds,
// `ok` is false and everything read is zero or empty.
class Reader {
  public:
    explicit Reader(std::string_view value) noexcept : rest_(value) {}

    std::uint64_t integer(std::size_t bytes) noexcept {
        if (rest_.size() < bytes) {
            ok_ = false;
            return 0;
        }
        std::uint64_t result = 0;
        for (std::size_t i = bytes; i > 0; --i) {
            result = (result << 8) | static_cast<unsigned char>(rest_[i - 1]);
        }
        rest_.remove_prefix(bytes);
        return result;
    }

    std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(integer(1)); }
    std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(integer(2)); }
    std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(integer(4)); }
    std::uint64_t u64() noexcept { return integer(8); }
    std::int64_t i64() noexcept { return static_cast<std::int64_t>(integer(8)); }

    std::string_view bytes(std::size_t count) noexcept {
        if (rest_.size() < count) {
            ok_ = false;
            return {};
        }
        const std::string_view result = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return result;
    }

    bool head(char tag) noexcept {
        return u8() == record_version && u8() == static_cast<std::uint8_t>(tag);
    }

    // Whether all was in bounds and nothing is left over.
    bool done() const noexcept { return ok_ && rest_.empty(); }
    bool ok() const noexcept { return ok_; }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

class Writer {
  public:
    Writer(char* buffer, std::size_t size) noexcept : buffer_(buffer), size_(size) {}

    void integer(std::uint64_t value, std::size_t bytes) noexcept {
        if (size_ - used_ < bytes) {
            ok_ = false;
            return;
        }
        for (std::size_t i = 0; i < bytes; ++i) {
            buffer_[used_ + i] = static_cast<char>(value & 0xff);
            value >>= 8;
        }
        used_ += bytes;
    }

    void bytes(std::string_view text) noexcept {
        if (size_ - used_ < text.size()) {
            ok_ = false;
            return;
        }
        if (!text.empty()) {
            std::memcpy(buffer_ + used_, text.data(), text.size());
        }
        used_ += text.size();
    }

    void head(char tag) noexcept {
        integer(record_version, 1);
        integer(static_cast<std::uint8_t>(tag), 1);
    }

    std::size_t result() const noexcept { return ok_ ? used_ : 0; }

  private:
    char* buffer_;
    std::size_t size_;
    std::size_t used_ = 0;
    bool ok_ = true;
};

bool is_optional_identifier(std::string_view text) noexcept {
    return text.empty() || is_identifier(text);
}

bool is_kind(std::uint8_t value) noexcept {
    return value == kind_organization || value == kind_group || value == kind_user;
}

// But for the letters of its identifiers.
bool fields_ok(const TokenRecord& record) noexcept {
    // Which kind has which of organization and group.
    const bool has_organization = !record.organization.empty();
    const bool has_group = !record.group.empty();
    if (has_organization != (record.kind != kind_user) ||
        has_group != (record.kind == kind_group)) {
        return false;
    }
    return !record.id.empty() && record.id.size() <= identifier_max && !record.subject.empty() &&
           record.subject.size() <= identifier_max &&
           record.organization.size() <= identifier_max && record.group.size() <= identifier_max &&
           record.role.size() <= identifier_max && record.name.size() <= name_max &&
           record.scopes.size() <= scopes_max && record.allow.size() <= allow_max * cidr_size &&
           record.allow.size() % cidr_size == 0;
}

bool identifiers_ok(const TokenRecord& record) noexcept {
    return is_identifier(record.id) && is_identifier(record.subject) &&
           is_optional_identifier(record.organization) && is_optional_identifier(record.group) &&
           is_optional_identifier(record.role);
}

bool may_be_in_key(std::string_view name, Names names) noexcept {
    return names == Names::checked ? name.size() <= identifier_max : is_identifier(name);
}

std::string_view one_part_key(char tag, std::string_view part, KeyBuffer& buffer,
                              Names names) noexcept {
    if (!may_be_in_key(part, names)) {
        return {};
    }
    buffer[0] = tag;
    std::memcpy(buffer.data() + 1, part.data(), part.size());
    return {buffer.data(), part.size() + 1};
}

bool decode_flag(std::string_view value, char tag, bool& out) noexcept {
    Reader reader(value);
    const bool head = reader.head(tag);
    const std::uint8_t flag = reader.u8();
    out = flag != 0;
    return head && reader.done() && flag <= 1;
}

std::size_t encode_flag(char tag, bool flag, char* buffer, std::size_t size) noexcept {
    Writer writer(buffer, size);
    writer.head(tag);
    writer.integer(flag ? 1 : 0, 1);
    return writer.result();
}

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
    switch (kind) {
        case kind_organization:
            return "organization";
        case kind_group:
            return "group";
        case kind_user:
            return "user";
    }
    return {};
}

bool kind_of_name(std::string_view name, Kind& out) noexcept {
    for (const Kind kind : {kind_organization, kind_group, kind_user}) {
        if (name == kind_name(kind)) {
            out = kind;
            return true;
        }
    }
    return false;
}

std::string_view meta_key() noexcept {
    static constexpr char key[] = {tag_meta};
    return {key, sizeof(key)};
}

std::string_view token_key(const Digest& digest, KeyBuffer& buffer) noexcept {
    buffer[0] = tag_token;
    std::memcpy(buffer.data() + 1, digest.data(), digest.size());
    return {buffer.data(), digest.size() + 1};
}

bool is_token_key(std::string_view key) noexcept {
    return key.size() == sizeof(Digest) + 1 && key.front() == tag_token;
}

std::string_view organization_key(std::string_view organization, KeyBuffer& buffer,
                                  Names names) noexcept {
    return one_part_key(tag_organization, organization, buffer, names);
}

std::string_view user_key(std::string_view user, KeyBuffer& buffer, Names names) noexcept {
    return one_part_key(tag_user, user, buffer, names);
}

std::string_view role_key(std::string_view role, KeyBuffer& buffer, Names names) noexcept {
    return one_part_key(tag_role, role, buffer, names);
}

std::string_view membership_key(std::string_view user, std::string_view organization,
                                KeyBuffer& buffer, Names names) noexcept {
    if (!may_be_in_key(user, names) || !may_be_in_key(organization, names)) {
        return {};
    }
    char* end = buffer.data();
    *end++ = tag_membership;
    std::memcpy(end, user.data(), user.size());
    end += user.size();
    *end++ = '\0';
    std::memcpy(end, organization.data(), organization.size());
    end += organization.size();
    return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

bool decode(std::string_view value, TokenRecord& out) noexcept {
    // Read once for every request: the part of fixed size in one go.
    if (value.size() < token_head_size) {
        return false;
    }
    const char* const head = value.data();
    const auto kind = load<std::uint8_t>(head + 2);
    const auto flags = load<std::uint8_t>(head + 3);
    if (load<std::uint8_t>(head) != record_version || head[1] != tag_token || !is_kind(kind) ||
        flags > (token_revoked | token_subject_disabled)) {
        return false;
    }
    out.kind = static_cast<Kind>(kind);
    out.revoked = (flags & token_revoked) != 0;
    out.subject_disabled = (flags & token_subject_disabled) != 0;
    out.key_id = load<std::uint32_t>(head + 4);
    out.not_before = static_cast<std::int64_t>(load<std::uint64_t>(head + 8));
    out.expires = static_cast<std::int64_t>(load<std::uint64_t>(head + 16));

    std::string_view* const fields[] = {&out.id,   &out.subject, &out.organization, &out.group,
                                        &out.role, &out.name,    &out.scopes,       &out.allow};
    std::size_t begin = token_head_size;
    for (std::size_t i = 0; i < token_field_count; ++i) {
        const std::size_t length = load<std::uint16_t>(head + 24 + 2 * i);
        if (value.size() - begin < length) {
            return false;
        }
        *fields[i] = {head + begin, length};
        begin += length;
    }
    // The identifiers come first, one behind the other.
    return begin == value.size() && fields_ok(out) &&
           are_identifier_letters(
               {out.id.data(), static_cast<std::size_t>(out.name.data() - out.id.data())});
}

std::size_t encode(const TokenRecord& record, char* buffer, std::size_t size) noexcept {
    if (!fields_ok(record) || !identifiers_ok(record) || !is_kind(record.kind)) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.head(tag_token);
    writer.integer(record.kind, 1);
    writer.integer((record.revoked ? token_revoked : 0U) |
                       (record.subject_disabled ? token_subject_disabled : 0U),
                   1);
    writer.integer(record.key_id, 4);
    writer.integer(static_cast<std::uint64_t>(record.not_before), 8);
    writer.integer(static_cast<std::uint64_t>(record.expires), 8);
    const std::string_view fields[] = {record.id,     record.subject, record.organization,
                                       record.group,  record.role,    record.name,
                                       record.scopes, record.allow};
    for (const std::string_view field : fields) {
        writer.integer(field.size(), 2);
    }
    for (const std::string_view field : fields) {
        writer.bytes(field);
    }
    return writer.result();
}

bool decode(std::string_view value, OrganizationRecord& out) noexcept {
    return decode_flag(value, tag_organization, out.suspended);
}

std::size_t encode(const OrganizationRecord& record, char* buffer, std::size_t size) noexcept {
    return encode_flag(tag_organization, record.suspended, buffer, size);
}

bool decode(std::string_view value, UserRecord& out) noexcept {
    return decode_flag(value, tag_user, out.disabled);
}

std::size_t encode(const UserRecord& record, char* buffer, std::size_t size) noexcept {
    return encode_flag(tag_user, record.disabled, buffer, size);
}

bool decode(std::string_view value, MembershipRecord& out) noexcept {
    Reader reader(value);
    const bool head = reader.head(tag_membership);
    out.role = reader.bytes(reader.u8());
    return head && reader.done() && is_identifier(out.role);
}

std::size_t encode(const MembershipRecord& record, char* buffer, std::size_t size) noexcept {
    if (!is_identifier(record.role)) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.head(tag_membership);
    writer.integer(record.role.size(), 1);
    writer.bytes(record.role);
    return writer.result();
}

bool decode(std::string_view value, RoleRecord& out) noexcept {
    Reader reader(value);
    const bool head = reader.head(tag_role);
    out.scopes = reader.bytes(reader.u16());
    return head && reader.done() && out.scopes.size() <= scopes_max;
}

std::size_t encode(const RoleRecord& record, char* buffer, std::size_t size) noexcept {
    if (record.scopes.size() > scopes_max) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.head(tag_role);
    writer.integer(record.scopes.size(), 2);
    writer.bytes(record.scopes);
    return writer.result();
}

MetaProblem decode(std::string_view value, MetaRecord& out) noexcept {
    Reader reader(value);
    if (reader.bytes(magic.size()) != magic) {
        return MetaProblem::not_a_store;
    }
    if (reader.u16() != format_version) {
        return reader.ok() ? MetaProblem::other_version : MetaProblem::damaged;
    }
    out.generation = reader.u64();
    out.synced = reader.i64();
    out.created = reader.i64();
    std::uint64_t* const counts[] = {&out.counts.tokens, &out.counts.users,
                                     &out.counts.organizations, &out.counts.memberships,
                                     &out.counts.roles};
    for (std::uint64_t* count : counts) {
        *count = reader.u64();
    }
    out.key_use_count = reader.u16();
    const std::size_t source = reader.u16();
    const std::size_t position = reader.u16();
    if (out.key_use_count > key_uses_max || position > position_max) {
        return MetaProblem::damaged;
    }
    for (std::size_t i = 0; i < out.key_use_count; ++i) {
        out.key_uses[i].id = reader.u32();
        out.key_uses[i].tokens = reader.u64();
    }
    out.source = reader.bytes(source);
    out.position = reader.bytes(position);
    return reader.done() && is_identifier(out.source) ? MetaProblem::none : MetaProblem::damaged;
}

std::size_t encode(const MetaRecord& record, char* buffer, std::size_t size) noexcept {
    if (record.key_use_count > key_uses_max || record.position.size() > position_max ||
        !is_identifier(record.source)) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.bytes(magic);
    writer.integer(format_version, 2);
    writer.integer(record.generation, 8);
    writer.integer(static_cast<std::uint64_t>(record.synced), 8);
    writer.integer(static_cast<std::uint64_t>(record.created), 8);
    for (const std::uint64_t count :
         {record.counts.tokens, record.counts.users, record.counts.organizations,
          record.counts.memberships, record.counts.roles}) {
        writer.integer(count, 8);
    }
    writer.integer(record.key_use_count, 2);
    writer.integer(record.source.size(), 2);
    writer.integer(record.position.size(), 2);
    for (std::size_t i = 0; i < record.key_use_count; ++i) {
        writer.integer(record.key_uses[i].id, 4);
        writer.integer(record.key_uses[i].tokens, 8);
    }
    writer.bytes(record.source);
    writer.bytes(record.position);
    return writer.result();
}

}  // namespace token_auth
