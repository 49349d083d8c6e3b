#include "token_auth/record.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "token_auth/address.hpp"
#include "token_auth/load.hpp"
#include "token_auth/text.hpp"

namespace token_auth {
namespace {

using namespace token_layout;

// A user's record: entry size 4, length of the id 1, id, count 4, rows, names.
constexpr std::size_t row_size = 12;  // number 4, role 2, name's size 2, its offset 4

constexpr std::size_t membership_rest = 6;  // number 4, role 2, behind the organization

constexpr std::string_view magic = "TKAUTH";
constexpr std::string_view unfinished = "TKAUTH-UNFINISHED";
constexpr std::size_t words_max = 4096;

// Reads integers and strings off a value; once a read is out of bounds, `ok` is false and
// everything read is zero or empty.
class Reader {
  public:
    explicit Reader(std::string_view value) noexcept : rest_(value) {}

    template <typename Integer>
    Integer integer() noexcept {
        const std::string_view at = bytes(sizeof(Integer));
        return at.empty() ? Integer{0} : load_once<Integer>(at.data());
    }

    std::string_view bytes(std::size_t count) noexcept {
        if (rest_.size() < count) {
            ok_ = false;
            return {};
        }
        const std::string_view result = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return result;
    }

    std::string_view rest() const noexcept { return rest_; }
    bool ok() const noexcept { return ok_; }
    bool done() const noexcept { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

class Writer {
  public:
    Writer(char* buffer, std::size_t size) noexcept : buffer_(buffer), size_(size) {}

    template <typename Integer>
    void integer(Integer value) noexcept {
        bytes({reinterpret_cast<const char*>(&value), sizeof(value)});
    }

    void bytes(std::string_view text) noexcept {
        if (size_ - used_ < text.size()) {
            ok_ = false;
            return;
        }
        if (!text.empty()) {
            std::memcpy(buffer_ + used_, text.data(), text.size());
            used_ += text.size();
        }
    }

    // Behind its length.
    void short_text(std::string_view text) noexcept {
        integer(static_cast<std::uint8_t>(text.size()));
        bytes(text);
    }
    void long_text(std::string_view text) noexcept {
        integer(static_cast<std::uint16_t>(text.size()));
        bytes(text);
    }

    std::size_t result() const noexcept { return ok_ ? used_ : 0; }

  private:
    char* buffer_;
    std::size_t size_;
    std::size_t used_ = 0;
    bool ok_ = true;
};

using Sha256 = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Sha256 sha256(std::string_view text) noexcept {
    Sha256 out;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
    return out;
}

std::uint64_t big_endian(const unsigned char* at, std::size_t bytes) noexcept {
    std::uint64_t result = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        result = (result << 8) | at[i];
    }
    return result;
}

unsigned kind_number(Kind kind) noexcept {
    return kind == kind_organization ? 0U : kind == kind_group ? 1U : user_kind;
}

bool is_subject(std::string_view text) noexcept {
    return text.empty() || is_identifier(text);
}

bool is_encodable(const Membership& membership) noexcept {
    return is_identifier(membership.organization);
}

bool is_encodable(const TokenEntry& entry) noexcept {
    const bool is_user = entry.kind == kind_user;
    const bool of_kind = is_user ? entry.organization.empty() && !entry.subject.empty() &&
                                       entry.user_key >= first_user_key &&
                                       entry.user_key < first_suspension_key &&
                                       entry.organization_number == 0 && entry.role == no_role
                                 : (entry.kind == kind_organization || entry.kind == kind_group) &&
                                       is_identifier(entry.organization) && entry.user_key == 0 &&
                                       entry.membership_count == 0 && !entry.many_memberships;
    const bool grouped =
        entry.kind == kind_group ? is_identifier(entry.group) : entry.group.empty();
    if (entry.membership_count > memberships_max ||
        (entry.many_memberships && entry.membership_count != 0)) {
        return false;
    }
    const auto* const end = entry.memberships.begin() + entry.membership_count;
    return of_kind && grouped && is_identifier(entry.id) && is_subject(entry.subject) &&
           entry.name.size() <= name_max && entry.key_index < key_uses_max &&
           entry.scopes.size() <= scopes_max && are_canonical_scopes(entry.scopes) &&
           entry.allow.size() <= allow_max * cidr_size && entry.allow.size() % cidr_size == 0 &&
           std::all_of(entry.memberships.begin(), end,
                       [](const Membership& each) { return is_encodable(each); });
}

unsigned flags_of(const TokenEntry& entry, bool followed) noexcept {
    const auto bit = [](bool set, unsigned value) { return set ? value : 0U; };
    return kind_number(entry.kind) | bit(entry.revoked, revoked_bit) |
           bit(entry.disabled, disabled_bit) | bit((entry.digest[7] & 1) != 0, digest_bit) |
           bit(!entry.group.empty(), group_bit) | bit(entry.not_before != 0, not_before_bit) |
           bit(!entry.scopes.empty(), scopes_bit) | bit(!entry.allow.empty(), allow_bit) |
           bit(entry.membership_count != 0, memberships_bit) |
           bit(entry.many_memberships, many_memberships_bit) | bit(followed, followed_bit) |
           bit(entry.held_back, held_back_bit);
}

bool is_size(std::size_t identifier) noexcept {
    return identifier - 1 < identifier_max;
}

// Whether a token's flags and the sizes of its organization and subject agree.
bool are_of_kind(unsigned flags, std::size_t organization, std::size_t subject) noexcept {
    const unsigned of_kinds = flags & (group_bit | memberships_bit | many_memberships_bit);
    switch (flags & kind_bits) {
        case 0:
            return is_size(organization) && of_kinds == 0;
        case 1:
            return is_size(organization) && of_kinds == group_bit;
        case user_kind:
            return organization == 0 && subject != 0 && (of_kinds & group_bit) == 0;
        default:
            return false;
    }
}

// False for a membership that does not fit.
bool read_membership(Reader& reader, Membership& out) noexcept {
    out.organization = reader.bytes(reader.integer<std::uint8_t>());
    out.number = reader.integer<std::uint32_t>();
    out.role = reader.integer<std::uint16_t>();
    return reader.ok() && !out.organization.empty() && out.organization.size() <= identifier_max;
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

std::uint64_t user_key(std::string_view user) noexcept {
    constexpr std::uint64_t second_bit = std::uint64_t{1} << 62;
    const std::uint64_t key = big_endian(sha256(user).data(), 8) | first_user_key;
    return key < first_suspension_key ? key : key & ~second_bit;
}

std::uint32_t organization_number(std::string_view organization) noexcept {
    return static_cast<std::uint32_t>(big_endian(sha256(organization).data(), 4));
}

bool canonical_scopes(std::string_view list, char* buffer, std::size_t& size) noexcept {
    std::array<std::string_view, words_max> words;
    std::size_t count = 0;
    for (std::string_view word = next_word(list); !word.empty(); word = next_word(list)) {
        if (count == words.size()) {
            return false;
        }
        words[count++] = word;
    }
    std::sort(words.begin(), words.begin() + count);
    const auto* const end = std::unique(words.begin(), words.begin() + count);
    size = 0;
    for (const auto* word = words.begin(); word != end; ++word) {
        if (size != 0) {
            buffer[size++] = ' ';
        }
        std::memcpy(buffer + size, word->data(), word->size());
        size += word->size();
    }
    return true;
}

bool are_canonical_scopes(std::string_view list) noexcept {
    std::string_view last;
    while (!list.empty()) {
        const std::size_t space = list.find(' ');
        const std::string_view word = list.substr(0, space);
        if (word <= last || space == list.size() - 1) {
            return false;
        }
        last = word;
        list.remove_prefix(space == std::string_view::npos ? list.size() : space + 1);
    }
    return true;
}

std::size_t encode(const TokenEntry& entry, bool followed, char* buffer,
                   std::size_t size) noexcept {
    if (!is_encodable(entry)) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.bytes({reinterpret_cast<const char*>(entry.digest.data()) + 8, digest_rest});
    writer.integer(entry.expires);
    if (entry.kind == kind_user) {
        writer.integer(entry.user_key);
    } else {
        writer.integer(entry.organization_number);
        writer.integer(entry.role);
        writer.integer(std::uint16_t{0});
    }
    writer.integer(static_cast<std::uint16_t>(flags_of(entry, followed)));
    for (const std::string_view text : {entry.id, entry.organization, entry.name, entry.subject}) {
        writer.integer(static_cast<std::uint8_t>(text.size()));
    }
    writer.integer(entry.key_index);
    writer.integer(static_cast<std::uint8_t>(store_format));
    for (const std::string_view text : {entry.id, entry.organization, entry.name, entry.subject}) {
        writer.bytes(text);
    }
    if (!entry.group.empty()) {
        writer.short_text(entry.group);
    }
    if (entry.not_before != 0) {
        writer.integer(entry.not_before);
    }
    if (!entry.scopes.empty()) {
        writer.long_text(entry.scopes);
    }
    if (!entry.allow.empty()) {
        writer.integer(static_cast<std::uint8_t>(entry.allow.size() / cidr_size));
        writer.bytes(entry.allow);
    }
    if (entry.membership_count != 0) {
        writer.integer(static_cast<std::uint8_t>(entry.membership_count));
        for (std::size_t i = 0; i < entry.membership_count; ++i) {
            writer.short_text(entry.memberships[i].organization);
            writer.integer(entry.memberships[i].number);
            writer.integer(entry.memberships[i].role);
        }
    }
    return writer.result();
}

void set_followed(char* entry, bool followed) noexcept {
    const unsigned flags = load<std::uint16_t>(entry + flags_at) & ~followed_bit;
    store(entry + flags_at, static_cast<std::uint16_t>(flags | (followed ? followed_bit : 0U)));
}

bool TokenView::parse(std::string_view value) noexcept {
    if (value.size() < texts_at) {
        return false;
    }
    at_ = value.data();
    const unsigned flags = load<std::uint16_t>(at_ + flags_at);
    const std::size_t id = load<std::uint8_t>(at_ + id_size_at);
    const std::size_t organization = load<std::uint8_t>(at_ + organization_size_at);
    const std::size_t subject = load<std::uint8_t>(at_ + subject_size_at);
    const std::size_t texts = id + organization + load<std::uint8_t>(at_ + name_size_at) + subject;
    if (load<std::uint8_t>(at_ + version_at) != store_format || (flags & ~known_bits) != 0 ||
        key_index() >= key_uses_max || !is_size(id) || subject > identifier_max ||
        !are_of_kind(flags, organization, subject) || texts > value.size() - texts_at) {
        return false;
    }
    group_ = not_before_ = scopes_ = allow_ = memberships_ = 0;
    size_ = static_cast<std::uint16_t>(texts_at + texts);
    return (flags & optional_bits) == 0 || parse_optional(value, flags);
}

// What only some entries have, in the order in which it stands.
bool TokenView::parse_optional(std::string_view value, unsigned flags) noexcept {
    Reader reader(value.substr(size_));
    const auto here = [&] {
        return static_cast<std::uint16_t>(reader.rest().data() - value.data());
    };
    bool fits = true;
    if ((flags & group_bit) != 0) {
        group_ = here();
        const std::size_t size = reader.bytes(reader.integer<std::uint8_t>()).size();
        fits = size != 0 && size <= identifier_max;
    }
    if ((flags & not_before_bit) != 0) {
        not_before_ = here();
        reader.bytes(sizeof(std::int64_t));
    }
    if ((flags & scopes_bit) != 0) {
        scopes_ = here();
        const std::size_t size = reader.bytes(reader.integer<std::uint16_t>()).size();
        fits = fits && size != 0 && size <= scopes_max;
    }
    if ((flags & allow_bit) != 0) {
        allow_ = here();
        const std::size_t blocks = reader.integer<std::uint8_t>();
        reader.bytes(blocks * cidr_size);
        fits = fits && blocks != 0 && blocks <= allow_max;
    }
    if ((flags & memberships_bit) != 0) {
        memberships_ = here();
        const std::size_t count = reader.integer<std::uint8_t>();
        fits =
            fits && count != 0 && count <= memberships_max && (flags & many_memberships_bit) == 0;
        for (std::size_t i = 0; fits && i < count; ++i) {
            const std::size_t size = reader.integer<std::uint8_t>();
            reader.bytes(size + membership_rest);
            fits = size != 0 && size <= identifier_max;
        }
    }
    size_ = here();
    return fits && reader.ok();
}

Membership TokenView::membership(std::size_t index) const noexcept {
    Membership out;
    if (index < membership_count()) {
        Reader reader(bytes().substr(memberships_ + 1U));
        for (std::size_t i = 0; i <= index; ++i) {
            read_membership(reader, out);
        }
    }
    return out;
}

bool TokenView::find_membership(std::string_view organization, Membership& out) const noexcept {
    // parse() has seen to their sizes.
    const char* at = at_ + memberships_ + 1;
    for (std::size_t left = membership_count(); left != 0; --left) {
        const std::size_t size = load<std::uint8_t>(at);
        const char* const rest = at + 1 + size;
        if (is_equal(organization, {at + 1, size})) {
            out.organization = {at + 1, size};
            out.number = load<std::uint32_t>(rest);
            out.role = load<std::uint16_t>(rest + sizeof(out.number));
            return true;
        }
        at = rest + membership_rest;
    }
    return false;
}

TokenView TokenView::copied_to(char* buffer) const noexcept {
    TokenView copy = *this;
    std::memcpy(buffer, at_, size_);
    copy.at_ = buffer;
    return copy;
}

TokenEntry TokenView::entry(std::uint64_t key) const noexcept {
    TokenEntry out;
    const bool bit = (load<std::uint16_t>(at_ + flags_at) & digest_bit) != 0;
    const std::uint64_t head = __builtin_bswap64((key << 1) | (bit ? 1 : 0));
    std::memcpy(out.digest.data(), &head, sizeof(head));
    std::memcpy(out.digest.data() + sizeof(head), at_ + digest_at, digest_rest);
    out.kind = kind();
    out.revoked = revoked();
    out.disabled = disabled();
    out.held_back = held_back();
    out.key_index = key_index();
    out.expires = expires();
    out.not_before = not_before();
    out.organization_number = organization_number();
    out.role = role();
    out.user_key = user_key();
    out.id = id();
    out.organization = organization();
    out.name = name();
    out.subject = subject();
    out.group = group();
    out.scopes = scopes();
    out.allow = allow();
    out.membership_count = membership_count();
    for (std::size_t i = 0; i < out.membership_count; ++i) {
        out.memberships[i] = membership(i);
    }
    out.many_memberships = has_many_memberships();
    return out;
}

std::string_view subject_of(const TokenView& token, char* buffer) noexcept {
    constexpr std::string_view prefix = "tu-";
    const std::string_view given = token.subject();
    if (!given.empty()) {
        return given;
    }
    std::memcpy(buffer, prefix.data(), prefix.size());
    std::memcpy(buffer + prefix.size(), token.id().data(), token.id().size());
    return {buffer, prefix.size() + token.id().size()};
}

std::size_t user_record_size(std::string_view user, const Membership* memberships,
                             std::size_t count) noexcept {
    std::size_t size = 4 + 1 + user.size() + 4 + count * row_size;
    for (std::size_t i = 0; i < count; ++i) {
        size += memberships[i].organization.size();
    }
    return size <= UINT32_MAX ? size : 0;
}

std::size_t encode_user(std::string_view user, const Membership* memberships, std::size_t count,
                        char* buffer, std::size_t size) noexcept {
    const std::size_t whole = user_record_size(user, memberships, count);
    if (whole == 0 || !is_identifier(user)) {
        return 0;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const Membership& each = memberships[i];
        const bool follows = i == 0 || memberships[i - 1].number < each.number ||
                             (memberships[i - 1].number == each.number &&
                              memberships[i - 1].organization < each.organization);
        if (!follows || !is_encodable(each)) {
            return 0;
        }
    }
    Writer writer(buffer, size);
    writer.integer(static_cast<std::uint32_t>(whole));
    writer.short_text(user);
    writer.integer(static_cast<std::uint32_t>(count));
    std::size_t name_at = 4 + 1 + user.size() + 4 + count * row_size;
    for (std::size_t i = 0; i < count; ++i) {
        writer.integer(memberships[i].number);
        writer.integer(memberships[i].role);
        writer.integer(static_cast<std::uint16_t>(memberships[i].organization.size()));
        writer.integer(static_cast<std::uint32_t>(name_at));
        name_at += memberships[i].organization.size();
    }
    for (std::size_t i = 0; i < count; ++i) {
        writer.bytes(memberships[i].organization);
    }
    return writer.result();
}

bool UserView::parse(std::string_view value) noexcept {
    Reader reader(value);
    const std::size_t size = reader.integer<std::uint32_t>();
    user = reader.bytes(reader.integer<std::uint8_t>());
    count = reader.integer<std::uint32_t>();
    if (!reader.ok() || user.empty() || user.size() > identifier_max || size > value.size()) {
        return false;
    }
    bytes = value.substr(0, size);
    const std::size_t head = 4 + 1 + user.size() + 4;
    return size >= head && count <= (size - head) / row_size;
}

bool UserView::membership(std::uint32_t index, Membership& out) const noexcept {
    if (index >= count) {
        return false;
    }
    Reader row(bytes.substr(4 + 1 + user.size() + 4 + row_size * index, row_size));
    out.number = row.integer<std::uint32_t>();
    out.role = row.integer<std::uint16_t>();
    const std::size_t size = row.integer<std::uint16_t>();
    const std::size_t at = row.integer<std::uint32_t>();
    if (size == 0 || size > identifier_max || at > bytes.size() || bytes.size() - at < size) {
        return false;
    }
    out.organization = bytes.substr(at, size);
    return true;
}

bool UserView::find(std::uint32_t number, std::string_view organization, Membership& out,
                    bool& sound) const noexcept {
    std::uint32_t low = 0;
    std::uint32_t high = count;
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (!membership(middle, out)) {
            sound = false;
            return false;
        }
        const int order = out.number != number ? (out.number < number ? -1 : 1)
                                               : out.organization.compare(organization);
        if (order == 0) {
            out.organization = organization;
            return true;
        }
        (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    return false;
}

std::size_t encode_suspensions(const std::string_view* organizations, std::size_t count,
                               char* buffer, std::size_t size) noexcept {
    Writer writer(buffer, size);
    writer.integer(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_identifier(organizations[i]) ||
            (i != 0 && organizations[i] <= organizations[i - 1])) {
            return 0;
        }
        writer.short_text(organizations[i]);
    }
    return count == 0 ? 0 : writer.result();
}

bool suspensions(std::string_view value, std::uint32_t& count, std::string_view& rest) noexcept {
    Reader reader(value);
    count = reader.integer<std::uint32_t>();
    rest = reader.rest();
    return reader.ok() && count != 0;
}

bool next_suspension(std::string_view& rest, std::string_view& organization) noexcept {
    Reader reader(rest);
    organization = reader.bytes(reader.integer<std::uint8_t>());
    rest = reader.rest();
    return reader.ok() && !organization.empty() && organization.size() <= identifier_max;
}

std::size_t encode(const RoleEntry& role, char* buffer, std::size_t size) noexcept {
    if (!is_identifier(role.name) || role.scopes.size() > scopes_max ||
        !are_canonical_scopes(role.scopes) || (!role.exists && !role.scopes.empty())) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.integer(std::uint8_t{role.exists});
    writer.short_text(role.name);
    writer.long_text(role.scopes);
    return writer.result();
}

bool decode(std::string_view value, RoleEntry& out) noexcept {
    Reader reader(value);
    const auto flags = reader.integer<std::uint8_t>();
    out.exists = flags == 1;
    out.name = reader.bytes(reader.integer<std::uint8_t>());
    out.scopes = reader.bytes(reader.integer<std::uint16_t>());
    return reader.done() && flags <= 1 && !out.name.empty() && out.name.size() <= identifier_max &&
           out.scopes.size() <= scopes_max && (out.exists || out.scopes.empty());
}

std::size_t encode(const StoreMeta& meta, char* buffer, std::size_t size) noexcept {
    if (meta.position.size() > position_max || !is_identifier(meta.source)) {
        return 0;
    }
    Writer writer(buffer, size);
    writer.bytes(magic);
    writer.integer(store_format);
    writer.integer(meta.transaction);
    writer.integer(meta.generation);
    writer.integer(meta.synced);
    writer.integer(meta.created);
    writer.integer(meta.roles_generation);
    for (const std::uint64_t count :
         {meta.counts.tokens, meta.counts.users, meta.counts.roles, meta.counts.suspended,
          meta.counts.left_out, meta.counts.held_back}) {
        writer.integer(count);
    }
    for (const KeyUse& key : meta.keys) {
        writer.integer(key.id);
        writer.integer(key.tokens);
    }
    writer.long_text(meta.source);
    writer.long_text(meta.position);
    return writer.result();
}

MetaState decode(std::string_view value, StoreMeta& out) noexcept {
    if (value == unfinished) {
        return MetaState::unfinished;
    }
    Reader reader(value);
    if (reader.bytes(magic.size()) != magic) {
        return MetaState::not_a_store;
    }
    if (reader.integer<std::uint16_t>() != store_format) {
        return reader.ok() ? MetaState::other_format : MetaState::damaged;
    }
    out.transaction = reader.integer<std::uint64_t>();
    out.generation = reader.integer<std::uint64_t>();
    out.synced = reader.integer<std::int64_t>();
    out.created = reader.integer<std::int64_t>();
    out.roles_generation = reader.integer<std::uint64_t>();
    for (std::uint64_t* count :
         {&out.counts.tokens, &out.counts.users, &out.counts.roles, &out.counts.suspended,
          &out.counts.left_out, &out.counts.held_back}) {
        *count = reader.integer<std::uint64_t>();
    }
    out.keys_end = 0;
    for (std::size_t i = 0; i < out.keys.size(); ++i) {
        out.keys[i].id = reader.integer<std::uint32_t>();
        out.keys[i].tokens = reader.integer<std::uint64_t>();
        out.keys_end = out.keys[i].tokens != 0 ? i + 1 : out.keys_end;
    }
    out.source = reader.bytes(reader.integer<std::uint16_t>());
    out.position = reader.bytes(reader.integer<std::uint16_t>());
    return reader.done() && out.generation <= generation_max && is_identifier(out.source) &&
                   out.position.size() <= position_max
               ? MetaState::whole
               : MetaState::damaged;
}

std::string_view unfinished_marker() noexcept {
    return unfinished;
}

}  // namespace token_auth
