// Values that are damaged in every way there is one step away, and buffers of every size.
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "records.hpp"
#include "scratch.hpp"
#include "token_auth/address.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::unit {
namespace {

bool is_within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

bool all_within(const std::vector<std::string_view>& parts, std::string_view whole) {
    for (const std::string_view part : parts) {
        if (!is_within(part, whole)) {
            return false;
        }
    }
    return true;
}

// Whether what was decoded holds what the headers promise of it.
bool is_sound(const TokenRecord& record, std::string_view value) {
    const bool of_organization = !record.organization.empty();
    return is_identifier(record.id) && is_identifier(record.subject) &&
           (!of_organization || is_identifier(record.organization)) &&
           (record.group.empty() || is_identifier(record.group)) &&
           (record.role.empty() || is_identifier(record.role)) &&
           of_organization == (record.kind != kind_user) &&
           record.group.empty() == (record.kind != kind_group) && !kind_name(record.kind).empty() &&
           record.name.size() <= name_max && record.scopes.size() <= scopes_max &&
           record.allow.size() % cidr_size == 0 && record.allow.size() / cidr_size <= allow_max &&
           all_within({record.id, record.subject, record.organization, record.group, record.role,
                       record.name, record.scopes, record.allow},
                      value);
}

bool is_sound(const OrganizationRecord&, std::string_view) {
    return true;
}

bool is_sound(const UserRecord&, std::string_view) {
    return true;
}

bool is_sound(const MembershipRecord& record, std::string_view value) {
    return is_identifier(record.role) && is_within(record.role, value);
}

bool is_sound(const RoleRecord& record, std::string_view value) {
    return record.scopes.size() <= scopes_max && is_within(record.scopes, value);
}

bool is_sound(const MetaRecord& record, std::string_view value) {
    return record.key_use_count <= key_uses_max && record.position.size() <= position_max &&
           is_identifier(record.source) && all_within({record.source, record.position}, value);
}

// A buffer of every size: whole or nothing, and never a byte beyond it.
template <typename Record>
void every_buffer(std::string_view what, const Record& record) {
    const std::string value = encoded(record);
    for (std::size_t size = 0; size <= value.size() + 1; ++size) {
        const std::unique_ptr<char[]> buffer(new char[size + 1]);
        buffer[size] = '\x7f';
        const std::size_t used = encode(record, buffer.get(), size);
        check_equal(used, size < value.size() ? std::size_t{0} : value.size(), "{} into {} bytes",
                    what, size);
        check(buffer[size] == '\x7f', "{} into {} bytes: one beyond", what, size);
    }
}

// Every truncation, every byte changed to every other value, and a byte too many. Each value is
// in memory of its own size, so that the sanitizers see a read beyond it.
template <typename Record>
void every_damage(std::string_view what, const Record& record) {
    const std::string value = encoded(record);
    const auto decoded = [](std::string_view text, bool& sound) {
        const std::unique_ptr<char[]> copy(new char[text.size()]);
        if (!text.empty()) {
            std::memcpy(copy.get(), text.data(), text.size());
        }
        Record out{};
        const bool ok = decodes({copy.get(), text.size()}, out);
        sound = !ok || is_sound(out, {copy.get(), text.size()});
        return ok;
    };
    bool sound = false;
    check(decoded(value, sound) && sound, "{}: as it is", what);
    for (std::size_t length = 0; length < value.size(); ++length) {
        check(!decoded(value.substr(0, length), sound), "{}: {} of its {} bytes", what, length,
              value.size());
    }
    check(!decoded(value + '\0', sound), "{}: a byte too many", what);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        std::string damaged = value;
        for (unsigned change = 1; change < 256; ++change) {
            damaged[i] = static_cast<char>(static_cast<unsigned char>(value[i]) ^ change);
            taken += decoded(damaged, sound) ? 1 : 0;
            check(sound, "{}: byte {} changed by {}", what, i, change);
        }
    }
    check(taken < value.size() * 255, "{}: no damage was ever noticed", what);
}

void all_buffers() {
    const std::string allow = allow_of({"192.0.2.0/24"});
    every_buffer("token", full_token(allow));
    every_buffer("meta", full_meta());
    every_buffer("organization", OrganizationRecord{true});
    every_buffer("user", UserRecord{true});
    every_buffer("membership", MembershipRecord{"admin"});
    every_buffer("role", RoleRecord{"agents:read calls:*"});
}

void all_damages() {
    const std::string allow = allow_of({"192.0.2.0/24", "2001:db8::/32"});
    TokenRecord user = plain_record();
    user.kind = kind_user;
    user.organization = {};
    every_damage("group token", full_token(allow));
    every_damage("organization token", plain_record());
    every_damage("user token", user);
    every_damage("meta", full_meta());
    every_damage("organization", OrganizationRecord{true});
    every_damage("user", UserRecord{true});
    every_damage("membership", MembershipRecord{"admin"});
    every_damage("role", RoleRecord{"agents:read calls:*"});
}

// Makes a field longer than encode() would: its length, two bytes at `at`, and `more` bytes put in
// where it ends.
std::string stretched(std::string value, std::size_t at, std::size_t end, std::size_t more) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(value[i]));
    };
    const std::size_t length = byte(at) + 256 * byte(at + 1) + more;
    value[at] = static_cast<char>(length % 256);
    value[at + 1] = static_cast<char>(length / 256);
    value.insert(end, more, 's');
    return value;
}

// Well-formed but for the bound that readers of the record rely on.
void values_out_of_bounds() {
    constexpr std::size_t lengths =
        2 + 2 + 4 + 8 + 8;  // before them: head, kind, flags, key, times
    const std::string name(name_max, 'n');
    const std::string scopes(scopes_max, 's');
    const std::string allow(allow_max * cidr_size, '\4');
    TokenRecord with_name = plain_record();
    with_name.scopes = {};
    with_name.name = name;
    TokenRecord with_scopes = plain_record();
    with_scopes.scopes = scopes;
    TokenRecord with_allow = plain_record();
    with_allow.allow = allow;
    const struct {
        const char* name;
        std::string value;
        std::size_t length_at;
        std::size_t more;
    } tokens[] = {
        {"name", encoded(with_name), lengths + 2 * 5, 1},
        {"scopes", encoded(with_scopes), lengths + 2 * 6, 1},
        {"allow-list", encoded(with_allow), lengths + 2 * 7, cidr_size},
    };
    for (const auto& row : tokens) {
        TokenRecord out;
        check(decode(row.value, out), "{}: at its bound", row.name);
        const std::string over = stretched(row.value, row.length_at, row.value.size(), row.more);
        check(!decode(over, out), "{}: over it", row.name);
    }

    const std::string role = encoded(RoleRecord{scopes});
    RoleRecord out_role;
    check(!decode(stretched(role, 2, role.size(), 1), out_role), "scopes of a role");

    // Readers copy the position into room of its largest size.
    constexpr std::size_t counts_end = 6 + 2 + 3 * 8 + 5 * 8;
    const std::string position(position_max, 'p');
    MetaRecord meta = full_meta();
    meta.position = position;
    const std::string value = encoded(meta);
    MetaRecord out_meta;
    check_equal(decode(value, out_meta), MetaProblem::none, "position at its bound");
    check_equal(decode(stretched(value, counts_end + 4, value.size(), 1), out_meta),
                MetaProblem::damaged, "position over it");
    const std::string source(identifier_max, 's');
    meta = full_meta();
    meta.source = source;
    meta.position = {};
    const std::string of_source = encoded(meta);
    check_equal(decode(of_source, out_meta), MetaProblem::none, "source at its bound");
    check_equal(decode(stretched(of_source, counts_end + 2, of_source.size(), 1), out_meta),
                MetaProblem::damaged, "source over it");
    meta.key_use_count = key_uses_max;
    const std::string keys = encoded(meta);
    std::string more_keys = keys;
    more_keys[counts_end] = static_cast<char>(key_uses_max + 1);
    more_keys.insert(counts_end + 6, 12, '\1');
    check_equal(decode(keys, out_meta), MetaProblem::none, "keys at their bound");
    check_equal(decode(more_keys, out_meta), MetaProblem::damaged, "keys over it");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(all_buffers),
        UNIT_TEST(all_damages),
        UNIT_TEST(values_out_of_bounds),
    };
    return cmocka_run_group_tests_name("record_damage", tests, nullptr, nullptr);
}
