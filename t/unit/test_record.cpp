// Records: round trips, bounds, keys.
#include <cstring>
#include <functional>
#include <initializer_list>
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

void token_round_trip() {
    const std::string allow = allow_of({"192.0.2.0/24", "2001:db8::/32"});
    const TokenRecord record = full_token(allow);
    const std::string value = encoded(record);
    TokenRecord got;
    check(decode(value, got), "decode");
    check_equal(got.kind, record.kind, "kind");
    check_equal(got.revoked, record.revoked, "revoked");
    check_equal(got.subject_disabled, record.subject_disabled, "subject_disabled");
    check_equal(got.key_id, record.key_id, "key_id");
    check_equal(got.not_before, record.not_before, "not_before");
    check_equal(got.expires, record.expires, "expires");
    check_equal(got.id, record.id, "id");
    check_equal(got.subject, record.subject, "subject");
    check_equal(got.organization, record.organization, "organization");
    check_equal(got.group, record.group, "group");
    check_equal(got.role, record.role, "role");
    check_equal(got.name, record.name, "name");
    check_equal(got.scopes, record.scopes, "scopes");
    check_equal(got.allow, record.allow, "allow");
    check_equal(encoded(got), value, "encoded once more");
}

void flags_of_a_token() {
    for (const bool revoked : {false, true}) {
        for (const bool disabled : {false, true}) {
            TokenRecord record = plain_record();
            record.revoked = revoked;
            record.subject_disabled = disabled;
            const std::string value = encoded(record);
            TokenRecord got;
            check(decode(value, got), "decode");
            check_equal(got.revoked, revoked, "revoked");
            check_equal(got.subject_disabled, disabled, "subject_disabled");
        }
    }
}

void meta_round_trip() {
    const MetaRecord meta = full_meta();
    const std::string value = encoded(meta);
    MetaRecord got;
    check_equal(decode(value, got), MetaProblem::none, "decode");
    check_equal(got.generation, meta.generation, "generation");
    check_equal(got.synced, meta.synced, "synced");
    check_equal(got.created, meta.created, "created");
    check_equal(got.counts.tokens, meta.counts.tokens, "tokens");
    check_equal(got.counts.users, meta.counts.users, "users");
    check_equal(got.counts.organizations, meta.counts.organizations, "organizations");
    check_equal(got.counts.memberships, meta.counts.memberships, "memberships");
    check_equal(got.counts.roles, meta.counts.roles, "roles");
    check_equal(got.key_use_count, meta.key_use_count, "key_use_count");
    for (std::size_t i = 0; i < 2; ++i) {
        check_equal(got.key_uses[i].id, meta.key_uses[i].id, "key {}", i);
        check_equal(got.key_uses[i].tokens, meta.key_uses[i].tokens, "tokens of key {}", i);
    }
    check_equal(got.source, meta.source, "source");
    check_equal(got.position, meta.position, "position");
}

void small_round_trips() {
    for (const bool flag : {false, true}) {
        const std::string organization = encoded(OrganizationRecord{flag});
        OrganizationRecord got_organization{!flag};
        check(decode(organization, got_organization), "organization");
        check_equal(got_organization.suspended, flag, "suspended");
        const std::string user = encoded(UserRecord{flag});
        UserRecord got_user{!flag};
        check(decode(user, got_user), "user");
        check_equal(got_user.disabled, flag, "disabled");
    }
    const std::string longest(scopes_max, 's');
    for (const std::string_view scopes :
         {std::string_view(), std::string_view("a b"), std::string_view(longest)}) {
        const std::string value = encoded(RoleRecord{scopes});
        RoleRecord got;
        check(decode(value, got), "a role of {} bytes", scopes.size());
        check_equal(got.scopes, scopes, "scopes of a role");
    }
    const std::string role(identifier_max, 'r');
    const std::string value = encoded(MembershipRecord{role});
    MembershipRecord got;
    check(decode(value, got), "membership");
    check_equal(got.role, std::string_view(role), "role of a membership");
}

std::size_t encoded_size(const TokenRecord& record) {
    std::string buffer(value_max, '\0');
    return encode(record, buffer.data(), buffer.size());
}

void bounds_of_a_token() {
    const std::string id64(64, 'i');
    const std::string id65(65, 'i');
    const std::string name(name_max, 'n');
    const std::string name_over(name_max + 1, 'n');
    const std::string scopes(scopes_max, 's');
    const std::string scopes_over(scopes_max + 1, 's');
    const std::string allow(allow_max * cidr_size, '\4');
    const std::string allow_over((allow_max + 1) * cidr_size, '\4');
    const std::string allow_cut(cidr_size - 1, '\4');

    const auto user = [](TokenRecord& r) {
        r.kind = kind_user;
        r.organization = {};
    };
    const auto group = [](TokenRecord& r) {
        r.kind = kind_group;
        r.group = "ops";
    };
    const struct {
        const char* name;
        std::function<void(TokenRecord&)> change;
        bool ok;
    } rows[] = {
        {"plain", [](TokenRecord&) {}, true},
        {"user", user, true},
        {"group", group, true},
        {"user with an organization", [](TokenRecord& r) { r.kind = kind_user; }, false},
        {"user with a group",
         [&](TokenRecord& r) {
             user(r);
             r.group = "ops";
         },
         false},
        {"group without a group", [](TokenRecord& r) { r.kind = kind_group; }, false},
        {"group without an organization",
         [&](TokenRecord& r) {
             group(r);
             r.organization = {};
         },
         false},
        {"organization without one", [](TokenRecord& r) { r.organization = {}; }, false},
        {"organization with a group", [](TokenRecord& r) { r.group = "ops"; }, false},
        {"kind 0", [](TokenRecord& r) { r.kind = static_cast<Kind>(0); }, false},
        {"kind 3", [](TokenRecord& r) { r.kind = static_cast<Kind>(3); }, false},
        {"no id", [](TokenRecord& r) { r.id = {}; }, false},
        {"no subject", [](TokenRecord& r) { r.subject = {}; }, false},
        {"longest id", [&](TokenRecord& r) { r.id = id64; }, true},
        {"id too long", [&](TokenRecord& r) { r.id = id65; }, false},
        {"subject too long", [&](TokenRecord& r) { r.subject = id65; }, false},
        {"organization too long", [&](TokenRecord& r) { r.organization = id65; }, false},
        {"role too long", [&](TokenRecord& r) { r.role = id65; }, false},
        {"id with a slash", [](TokenRecord& r) { r.id = "a/b"; }, false},
        {"role with a space", [](TokenRecord& r) { r.role = "a b"; }, false},
        {"longest name", [&](TokenRecord& r) { r.name = name; }, true},
        {"name too long", [&](TokenRecord& r) { r.name = name_over; }, false},
        {"no name", [](TokenRecord& r) { r.name = {}; }, true},
        {"longest scopes", [&](TokenRecord& r) { r.scopes = scopes; }, true},
        {"scopes too long", [&](TokenRecord& r) { r.scopes = scopes_over; }, false},
        {"longest allow-list", [&](TokenRecord& r) { r.allow = allow; }, true},
        {"allow-list too long", [&](TokenRecord& r) { r.allow = allow_over; }, false},
        {"allow-list cut off", [&](TokenRecord& r) { r.allow = allow_cut; }, false},
    };
    for (const auto& row : rows) {
        TokenRecord record = plain_record();
        row.change(record);
        check_equal(encoded_size(record) != 0, row.ok, "{}", row.name);
    }
}

void bounds_of_the_others() {
    char buffer[value_max];
    const std::string over(scopes_max + 1, 's');
    check_equal(encode(RoleRecord{over}, buffer, sizeof(buffer)), std::size_t{0}, "a role");
    check_equal(encode(MembershipRecord{}, buffer, sizeof(buffer)), std::size_t{0},
                "a membership without a role");
    check_equal(encode(MembershipRecord{"a b"}, buffer, sizeof(buffer)), std::size_t{0},
                "a membership with a bad role");
    const std::string position(position_max + 1, 'p');
    MetaRecord meta = full_meta();
    meta.position = position;
    check_equal(encode(meta, buffer, sizeof(buffer)), std::size_t{0}, "a long position");
    meta = full_meta();
    meta.key_use_count = key_uses_max + 1;
    check_equal(encode(meta, buffer, sizeof(buffer)), std::size_t{0}, "too many keys");
    meta = full_meta();
    meta.source = {};
    check_equal(encode(meta, buffer, sizeof(buffer)), std::size_t{0}, "no source");
}

// The largest record there can be fits what is said of records and keys.
void largest_records() {
    const std::string id(identifier_max, 'i');
    const std::string name(name_max, 'n');
    const std::string scopes(scopes_max, 's');
    const std::string allow(allow_max * cidr_size, '\4');
    TokenRecord record;
    record.kind = kind_group;
    record.id = record.subject = record.organization = record.group = record.role = id;
    record.name = name;
    record.scopes = scopes;
    record.allow = allow;
    const std::string value = encoded(record);
    TokenRecord got;
    check(decode(value, got) && got.allow == allow, "the largest token");

    const std::string position(position_max, 'p');
    MetaRecord meta = full_meta();
    meta.key_use_count = key_uses_max;
    meta.source = id;
    meta.position = position;
    const std::string meta_value = encoded(meta);
    MetaRecord got_meta;
    check_equal(decode(meta_value, got_meta), MetaProblem::none, "the largest meta record");
}

// A value under the key of another sort of record is no record at all.
void mixed_up_records() {
    const std::string values[] = {
        encoded(plain_record()),
        encoded(full_meta()),
        encoded(OrganizationRecord{}),
        encoded(UserRecord{}),
        encoded(MembershipRecord{"admin"}),
        encoded(RoleRecord{"agents:read"}),
    };
    for (std::size_t i = 0; i < std::size(values); ++i) {
        TokenRecord token;
        MetaRecord meta;
        OrganizationRecord organization;
        UserRecord user;
        MembershipRecord membership;
        RoleRecord role;
        const bool taken[] = {
            decodes(values[i], token),        decodes(values[i], meta),
            decodes(values[i], organization), decodes(values[i], user),
            decodes(values[i], membership),   decodes(values[i], role),
        };
        for (std::size_t j = 0; j < std::size(taken); ++j) {
            check_equal(taken[j], i == j, "record {} read as {}", i, j);
        }
    }
}

void problems_of_meta() {
    const std::string good = encoded(full_meta());
    std::string other_version = good;
    other_version[6] = 2;
    std::string later_version = good;
    later_version[7] = 1;
    std::string foreign = good;
    foreign[0] = 'X';
    const struct {
        const char* name;
        std::string value;
        MetaProblem problem;
    } rows[] = {
        {"empty", "", MetaProblem::not_a_store},
        {"text", "hello, world", MetaProblem::not_a_store},
        {"another magic", foreign, MetaProblem::not_a_store},
        {"magic alone", good.substr(0, 6), MetaProblem::damaged},
        {"half a version", good.substr(0, 7), MetaProblem::damaged},
        {"another version", other_version, MetaProblem::other_version},
        {"a much later version", later_version, MetaProblem::other_version},
        {"another version and nothing else", other_version.substr(0, 8),
         MetaProblem::other_version},
        {"cut off", good.substr(0, good.size() - 1), MetaProblem::damaged},
        {"a byte too many", good + "x", MetaProblem::damaged},
    };
    for (const auto& row : rows) {
        MetaRecord meta;
        check_equal(decode(row.value, meta), row.problem, "{}", row.name);
    }
}

void keys() {
    KeyBuffer buffer;
    Digest digest;
    digest.fill(0xab);
    check_equal(meta_key(), std::string_view("M"), "meta");
    check_equal(token_key(digest, buffer), std::string("t").append(32, '\xab'), "token");
    check_equal(organization_key("acme", buffer), std::string_view("oacme"), "organization");
    check_equal(user_key("ann", buffer), std::string_view("uann"), "user");
    check_equal(role_key("admin", buffer), std::string_view("radmin"), "role");
    check_equal(membership_key("ann", "acme", buffer), std::string_view("mann\0acme", 9),
                "membership");
    const std::string longest(identifier_max, 'x');
    check_equal(membership_key(longest, longest, buffer),
                std::string("m") + longest + '\0' + longest, "the longest membership");
}

void keys_of_no_identifiers() {
    const std::string too_long(identifier_max + 1, 'x');
    const std::string_view bad[] = {"", "a/b", "a b", std::string_view("a\0b", 3), too_long};
    for (const std::string_view text : bad) {
        KeyBuffer buffer;
        check(organization_key(text, buffer).empty(), "organization {}", shown(text));
        check(user_key(text, buffer).empty(), "user {}", shown(text));
        check(role_key(text, buffer).empty(), "role {}", shown(text));
        check(membership_key(text, "acme", buffer).empty(), "member {}", shown(text));
        check(membership_key("ann", text, buffer).empty(), "member of {}", shown(text));
    }
}

void kinds() {
    for (const std::string_view name : {"organization", "group", "user"}) {
        Kind kind = static_cast<Kind>(0);
        check(kind_of_name(name, kind), "{}", name);
        check_equal(kind_name(kind), name, "name of {}", name);
        check((kinds_all & kind) != 0, "{} is not in all kinds", name);
    }
    Kind kind = kind_user;
    for (const std::string_view name : {"", "User", "users", "organisation"}) {
        check(!kind_of_name(name, kind), "kind {}", name);
    }
    check(kind_name(static_cast<Kind>(3)).empty(), "the name of no kind");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(token_round_trip),       UNIT_TEST(flags_of_a_token),
        UNIT_TEST(meta_round_trip),        UNIT_TEST(small_round_trips),
        UNIT_TEST(bounds_of_a_token),      UNIT_TEST(bounds_of_the_others),
        UNIT_TEST(largest_records),        UNIT_TEST(mixed_up_records),
        UNIT_TEST(problems_of_meta),       UNIT_TEST(keys),
        UNIT_TEST(keys_of_no_identifiers), UNIT_TEST(kinds),
    };
    return cmocka_run_group_tests_name("record", tests, nullptr, nullptr);
}
