// What records of format 2 say, byte by byte, and what encoders refuse.
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "cmocka.hpp"
#include "token_auth/record.hpp"

namespace token_auth {
namespace {

using namespace std::string_view_literals;

Digest digest_of_bytes(std::uint8_t first) {
    Digest digest;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        digest[i] = static_cast<std::uint8_t>(first + i);
    }
    return digest;
}

TokenEntry organization_token() {
    TokenEntry entry;
    entry.digest = digest_of_bytes(0x10);
    entry.key_index = 3;
    entry.expires = 0x0102030405060708;
    entry.organization_number = 0x0a0b0c0d;
    entry.role = 0x0e0f;
    entry.id = "id7";
    entry.organization = "acme";
    entry.name = "Deploy";
    return entry;
}

TokenEntry user_token() {
    TokenEntry entry;
    entry.kind = kind_user;
    entry.digest = digest_of_bytes(0x80);
    entry.user_key = user_key("ada");
    entry.id = "u1";
    entry.subject = "ada";
    return entry;
}

// An entry with all that a group's token can have.
TokenEntry full_group_token(const std::array<char, 2 * 18>& allow) {
    TokenEntry entry = organization_token();
    entry.kind = kind_group;
    entry.revoked = true;
    entry.disabled = true;
    entry.group = "ops";
    entry.not_before = 99;
    entry.scopes = "a b";
    entry.allow = {allow.data(), allow.size()};
    entry.subject = "tu-other";
    return entry;
}

struct Encoded {
    std::array<char, token_entry_max> bytes;
    std::size_t size;
    std::string_view view() const { return {bytes.data(), size}; }
};

Encoded encoded(const TokenEntry& entry, bool followed = false) {
    Encoded out;
    out.size = encode(entry, followed, out.bytes.data(), out.bytes.size());
    return out;
}

void keys_are_ordered_by_sort(void**) {
    Digest highest;
    highest.fill(0xff);
    assert_int_equal(token_key(highest), first_user_key - 1);
    Digest low{};
    low[7] = 3;
    assert_int_equal(token_key(low), 1);
    // Each user's key has the top bit, and is not reserved.
    for (const char* user : {"ada", "bob", "x", "some.one"}) {
        assert_in_range(user_key(user), first_user_key, first_suspension_key - 1);
    }
    assert_int_equal(suspension_key(0xfff), first_suspension_key);
    assert_int_equal(suspension_key(0xffffffff), first_suspension_key + 0xfffff);
    assert_true(suspension_key(0xffffffff) < first_role_key);
    assert_int_equal(role_key(role_number_max), meta_record_key - 1);
}

void numbers_are_of_sha256(void**) {
    // sha256("abc") = ba7816bf 8f01cfea ...
    assert_int_equal(organization_number("abc"), 0xba7816bf);
    assert_int_equal(user_key("abc"), 0xba7816bf8f01cfea);
}

void an_organization_token_is_laid_out_as_drawn(void**) {
    const Encoded value = encoded(organization_token());
    std::string expected;
    for (int i = 0x18; i < 0x30; ++i) {
        expected += static_cast<char>(i);
    }
    expected += "\x08\x07\x06\x05\x04\x03\x02\x01"sv;
    expected += "\x0d\x0c\x0b\x0a\x0f\x0e\x00\x00"sv;
    expected += "\x10\x00"sv;  // digest[7] is 0x17: its lowest bit is set
    expected += "\x03\x04\x06\x00\x03\x02"sv;
    expected += "id7acmeDeploy"sv;
    const bool same = value.view() == expected;
    const std::size_t size = value.size;
    expected = {};
    assert_int_equal(size, 61);
    assert_true(same);
}

void a_view_says_what_was_encoded(void**) {
    std::array<char, 36> allow{};
    allow[0] = 4;
    allow[18] = 6;
    const TokenEntry entry = full_group_token(allow);
    const Encoded value = encoded(entry, true);
    TokenView view;
    assert_true(view.parse(value.view()));
    assert_int_equal(view.bytes().size(), value.size);
    assert_true(view.is_followed());
    assert_true(view.is_of(entry.digest));
    assert_int_equal(view.kind(), kind_group);
    assert_true(view.revoked());
    assert_true(view.disabled());
    assert_int_equal(view.key_index(), 3);
    assert_int_equal(view.expires(), entry.expires);
    assert_int_equal(view.not_before(), 99);
    assert_int_equal(view.organization_number(), 0x0a0b0c0d);
    assert_int_equal(view.role(), 0x0e0f);
    assert_int_equal(view.user_key(), 0);
    assert_true(view.id() == "id7");
    assert_true(view.organization() == "acme");
    assert_true(view.name() == "Deploy");
    assert_true(view.subject() == "tu-other");
    assert_true(view.group() == "ops");
    assert_true(view.scopes() == "a b");
    assert_true(view.allow() == entry.allow);
    assert_int_equal(view.membership_count(), 0);
}

void all_bits_of_a_digest_are_compared(void**) {
    const TokenEntry entry = organization_token();
    const Encoded value = encoded(entry);
    TokenView view;
    assert_true(view.parse(value.view()));
    for (std::size_t bit = 63; bit < 256; ++bit) {
        Digest other = entry.digest;
        other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (0x80U >> (bit % 8)));
        assert_false(view.is_of(other));
    }
    for (std::size_t bit = 0; bit < 63; ++bit) {
        Digest other = entry.digest;
        other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (0x80U >> (bit % 8)));
        assert_int_not_equal(token_key(other), token_key(entry.digest));
    }
}

void a_user_token_holds_its_memberships(void**) {
    TokenEntry entry = user_token();
    entry.memberships = {Membership{"acme", 1, 2}, Membership{"zeta", 3, no_role}};
    entry.membership_count = 2;
    const Encoded value = encoded(entry);
    TokenView view;
    Membership found;
    assert_true(view.parse(value.view()));
    assert_int_equal(view.user_key(), user_key("ada"));
    assert_int_equal(view.membership_count(), 2);
    assert_true(view.membership(1).organization == "zeta");
    assert_true(view.find_membership("acme", found));
    assert_int_equal(found.number, 1);
    assert_int_equal(found.role, 2);
    assert_true(view.find_membership("zeta", found));
    assert_int_equal(found.role, no_role);
    assert_false(view.find_membership("acm", found));
    assert_false(view.find_membership("", found));
}

void a_subject_that_is_not_given_follows_from_the_id(void**) {
    const Encoded value = encoded(organization_token());
    TokenView view;
    char buffer[subject_max];
    assert_true(view.parse(value.view()));
    assert_true(subject_of(view, buffer) == "tu-id7");
}

void entries_stand_one_behind_the_other(void**) {
    Encoded first = encoded(organization_token());
    const Encoded second = encoded(user_token());
    set_followed(first.bytes.data(), true);
    std::memcpy(first.bytes.data() + first.size, second.bytes.data(), second.size);
    std::string_view value(first.bytes.data(), first.size + second.size);
    TokenView view;
    assert_true(view.parse(value));
    assert_true(view.is_followed());
    assert_true(view.id() == "id7");
    value.remove_prefix(view.bytes().size());
    assert_true(view.parse(value));
    assert_false(view.is_followed());
    assert_true(view.id() == "u1");
    assert_int_equal(view.bytes().size(), value.size());
}

void what_no_entry_can_hold_is_refused(void**) {
    static const std::string long_id(65, 'a');
    static const std::string long_name(256, 'a');
    static const std::string long_scopes(8193, 'a');
    using Change = void (*)(TokenEntry&);
    const Change of_organization[] = {
        [](TokenEntry& e) { e.id = ""; },
        [](TokenEntry& e) { e.id = "a b"; },
        [](TokenEntry& e) { e.id = long_id; },
        [](TokenEntry& e) { e.organization = ""; },
        [](TokenEntry& e) { e.organization = long_id; },
        [](TokenEntry& e) { e.name = long_name; },
        [](TokenEntry& e) { e.group = "ops"; },
        [](TokenEntry& e) { e.kind = kind_group; },
        [](TokenEntry& e) { e.subject = "a b"; },
        [](TokenEntry& e) { e.scopes = long_scopes; },
        [](TokenEntry& e) { e.scopes = "b a"; },
        [](TokenEntry& e) { e.scopes = "a a"; },
        [](TokenEntry& e) { e.scopes = "a  b"; },
        [](TokenEntry& e) { e.scopes = "a "; },
        [](TokenEntry& e) { e.allow = "short"; },
        [](TokenEntry& e) { e.key_index = key_uses_max; },
        [](TokenEntry& e) { e.user_key = first_user_key; },
        [](TokenEntry& e) { e.many_memberships = true; },
    };
    for (const Change change : of_organization) {
        TokenEntry entry = organization_token();
        change(entry);
        assert_int_equal(encoded(entry).size, 0);
    }
    const Change of_user[] = {
        [](TokenEntry& e) { e.organization = "acme"; },
        [](TokenEntry& e) { e.subject = ""; },
        [](TokenEntry& e) { e.user_key = 1; },
        [](TokenEntry& e) { e.user_key = first_suspension_key; },
        [](TokenEntry& e) { e.role = 1; },
        [](TokenEntry& e) { e.membership_count = 1; },  // of an empty name
        [](TokenEntry& e) { e.membership_count = memberships_max + 1; },
    };
    for (const Change change : of_user) {
        TokenEntry entry = user_token();
        change(entry);
        assert_int_equal(encoded(entry).size, 0);
    }
}

void an_encoder_stays_within_its_buffer(void**) {
    std::array<char, 36> allow{};
    const TokenEntry entry = full_group_token(allow);
    const std::size_t whole = encoded(entry).size;
    std::array<char, token_entry_max> buffer;
    for (std::size_t size = 0; size < whole; ++size) {
        assert_int_equal(encode(entry, false, buffer.data(), size), 0);
    }
    assert_int_equal(encode(entry, false, buffer.data(), whole), whole);
}

void a_users_membership_is_found_by_number_and_name(void**) {
    const Membership memberships[] = {
        {"one", 1, 10}, {"alpha", 7, 11}, {"beta", 7, 12}, {"gamma", 7, no_role}, {"last", 9, 13}};
    char buffer[256];
    const std::size_t size = encode_user("ada", memberships, 5, buffer, sizeof(buffer));
    assert_int_equal(size, user_record_size("ada", memberships, 5));
    UserView view;
    assert_true(view.parse({buffer, size}));
    assert_true(view.user == "ada");
    assert_int_equal(view.bytes.size(), size);
    bool sound = true;
    Membership found;
    for (const Membership& each : memberships) {
        assert_true(view.find(each.number, each.organization, found, sound));
        assert_int_equal(found.role, each.role);
    }
    assert_false(view.find(7, "delta", found, sound));
    assert_false(view.find(8, "alpha", found, sound));
    assert_false(view.find(0, "one", found, sound));
    assert_true(sound);
}

void memberships_of_a_user_must_be_in_order(void**) {
    char buffer[256];
    const Membership by_number[] = {{"a", 2, 0}, {"b", 1, 0}};
    const Membership by_name[] = {{"b", 1, 0}, {"a", 1, 0}};
    const Membership twice[] = {{"a", 1, 0}, {"a", 1, 1}};
    assert_int_equal(encode_user("ada", by_number, 2, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode_user("ada", by_name, 2, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode_user("ada", twice, 2, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode_user("a a", by_number, 1, buffer, sizeof(buffer)), 0);
}

void suspended_organizations_are_listed(void**) {
    const std::string_view ids[] = {"acme", "beta"};
    char buffer[64];
    const std::size_t size = encode_suspensions(ids, 2, buffer, sizeof(buffer));
    assert_int_equal(size, 14);
    std::uint32_t count = 0;
    std::string_view rest;
    std::string_view id;
    assert_true(suspensions({buffer, size}, count, rest));
    assert_int_equal(count, 2);
    assert_true(next_suspension(rest, id));
    assert_true(id == "acme");
    assert_true(next_suspension(rest, id));
    assert_true(id == "beta");
    assert_false(next_suspension(rest, id));
    const std::string_view unsorted[] = {"b", "a"};
    assert_int_equal(encode_suspensions(unsorted, 2, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode_suspensions(ids, 0, buffer, sizeof(buffer)), 0);
}

void a_role_is_there_or_only_named(void**) {
    char buffer[64];
    RoleEntry role;
    std::size_t size = encode({true, "admin", "a b"}, buffer, sizeof(buffer));
    assert_true(decode({buffer, size}, role));
    assert_true(role.exists);
    assert_true(role.name == "admin");
    assert_true(role.scopes == "a b");
    size = encode({false, "gone", {}}, buffer, sizeof(buffer));
    assert_true(decode({buffer, size}, role));
    assert_false(role.exists);
    assert_int_equal(encode({false, "gone", "a"}, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode({true, "", "a"}, buffer, sizeof(buffer)), 0);
    assert_int_equal(encode({true, "r", "b a"}, buffer, sizeof(buffer)), 0);
}

void a_meta_record_comes_back_as_it_was(void**) {
    StoreMeta meta;
    meta.transaction = 11;
    meta.generation = 22;
    meta.synced = 33;
    meta.created = 44;
    meta.roles_generation = 55;
    meta.counts = {1, 2, 3, 4};
    meta.keys[0] = {no_key, 5};
    meta.keys[15] = {77, 6};
    meta.source = "registry-1";
    meta.position = "pos 9";
    char buffer[meta_record_max];
    const std::size_t size = encode(meta, buffer, sizeof(buffer));
    StoreMeta got;
    assert_int_equal(decode({buffer, size}, got), MetaState::whole);
    assert_int_equal(got.transaction, 11);
    assert_int_equal(got.generation, 22);
    assert_int_equal(got.synced, 33);
    assert_int_equal(got.created, 44);
    assert_int_equal(got.roles_generation, 55);
    assert_int_equal(got.counts.tokens, 1);
    assert_int_equal(got.counts.users, 2);
    assert_int_equal(got.counts.roles, 3);
    assert_int_equal(got.counts.suspended, 4);
    assert_int_equal(got.keys[0].tokens, 5);
    assert_int_equal(got.keys[15].id, 77);
    assert_int_equal(got.keys[15].tokens, 6);
    assert_true(got.source == "registry-1");
    assert_true(got.position == "pos 9");
    // No clock gives that, and none could be above it.
    meta.generation = generation_max + 1;
    assert_int_equal(decode({buffer, encode(meta, buffer, sizeof(buffer))}, got),
                     MetaState::damaged);
}

void what_is_no_meta_record_is_told_apart(void**) {
    StoreMeta meta;
    assert_int_equal(decode(unfinished_marker(), meta), MetaState::unfinished);
    assert_int_equal(decode("TKAUTH\x01\x00 and more"sv, meta), MetaState::other_format);
    assert_int_equal(decode("TKAUTH\x02\x00"sv, meta), MetaState::damaged);
    assert_int_equal(decode("TKAUTH", meta), MetaState::damaged);
    assert_int_equal(decode("something else", meta), MetaState::not_a_store);
    assert_int_equal(decode("", meta), MetaState::not_a_store);
}

void scopes_are_sorted_and_each_is_there_once(void**) {
    const std::string_view cases[][2] = {{"b a", "a b"}, {"  b  a a ", "a b"}, {"", ""},
                                         {"   ", ""},    {"a:* *", "* a:*"},   {"x", "x"}};
    for (const auto& [list, expected] : cases) {
        char buffer[64];
        std::size_t size = 99;
        assert_true(canonical_scopes(list, buffer, size));
        assert_true(std::string_view(buffer, size) == expected);
        assert_true(are_canonical_scopes(expected));
    }
    for (const std::string_view list : {"b a", " a", "a ", "a  b", "a a", " "}) {
        assert_false(are_canonical_scopes(list));
    }
    static char out[2 * 4097];
    static char many[2 * 4097];
    for (std::size_t i = 0; i < sizeof(many); i += 2) {
        many[i] = 'x';
        many[i + 1] = ' ';
    }
    std::size_t size = 0;
    assert_false(canonical_scopes({many, sizeof(many)}, out, size));
    assert_true(canonical_scopes({many, sizeof(many) - 2}, out, size));
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    const CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_ordered_by_sort),
        cmocka_unit_test(numbers_are_of_sha256),
        cmocka_unit_test(an_organization_token_is_laid_out_as_drawn),
        cmocka_unit_test(a_view_says_what_was_encoded),
        cmocka_unit_test(all_bits_of_a_digest_are_compared),
        cmocka_unit_test(a_user_token_holds_its_memberships),
        cmocka_unit_test(a_subject_that_is_not_given_follows_from_the_id),
        cmocka_unit_test(entries_stand_one_behind_the_other),
        cmocka_unit_test(what_no_entry_can_hold_is_refused),
        cmocka_unit_test(an_encoder_stays_within_its_buffer),
        cmocka_unit_test(a_users_membership_is_found_by_number_and_name),
        cmocka_unit_test(memberships_of_a_user_must_be_in_order),
        cmocka_unit_test(suspended_organizations_are_listed),
        cmocka_unit_test(a_role_is_there_or_only_named),
        cmocka_unit_test(a_meta_record_comes_back_as_it_was),
        cmocka_unit_test(what_is_no_meta_record_is_told_apart),
        cmocka_unit_test(scopes_are_sorted_and_each_is_there_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
