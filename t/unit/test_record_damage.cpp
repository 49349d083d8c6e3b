// Damaged values of every sort: each truncation, and each byte turned into every other. What a
// decoder takes stays within the value; the copies have just their size, so that the sanitizers see
// every byte that is read beyond them.
#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include "cmocka.hpp"
#include "exact.hpp"
#include "token_auth/record.hpp"

namespace token_auth {
namespace {

using unit::Exact;

// Reads all that a value says; false if a part of it is not of the value.
using Use = bool (*)(const Exact& value);

bool use_token(const Exact& value) {
    TokenView view;
    if (!view.parse(value.view())) {
        return true;
    }
    bool within = value.holds(view.bytes()) && value.holds(view.id()) &&
                  value.holds(view.organization()) && value.holds(view.name()) &&
                  value.holds(view.subject()) && value.holds(view.group()) &&
                  value.holds(view.scopes()) && value.holds(view.allow());
    for (std::size_t i = 0; i < view.membership_count(); ++i) {
        within = within && value.holds(view.membership(i).organization);
    }
    Membership found;
    view.find_membership("acme", found);
    view.entry(1);
    char buffer[subject_max];
    subject_of(view, buffer);
    return within;
}

bool use_user(const Exact& value) {
    UserView view;
    if (!view.parse(value.view())) {
        return true;
    }
    bool within = value.holds(view.user) && value.holds(view.bytes);
    Membership membership;
    for (std::uint32_t i = 0; i < view.count; ++i) {
        within =
            within && (!view.membership(i, membership) || value.holds(membership.organization));
    }
    for (std::uint32_t number = 0; number < 8; ++number) {
        bool sound = true;
        view.find(number, "org-3", membership, sound);
    }
    return within;
}

bool use_suspensions(const Exact& value) {
    std::uint32_t count = 0;
    std::string_view rest;
    std::string_view id;
    bool within = true;
    if (suspensions(value.view(), count, rest)) {
        for (std::uint32_t i = 0; i < count && next_suspension(rest, id); ++i) {
            within = within && value.holds(id);
        }
    }
    return within;
}

bool use_role(const Exact& value) {
    RoleEntry role;
    return !decode(value.view(), role) || (value.holds(role.name) && value.holds(role.scopes));
}

bool use_meta(const Exact& value) {
    StoreMeta meta;
    return decode(value.view(), meta) != MetaState::whole ||
           (value.holds(meta.source) && value.holds(meta.position));
}

bool survives_truncation(std::string_view value, Use use) {
    bool ok = true;
    for (std::size_t size = 0; size <= value.size(); ++size) {
        ok = use(Exact(value.substr(0, size))) && ok;
    }
    return ok;
}

bool survives_other_bytes(std::string_view value, Use use) {
    bool ok = true;
    for (std::size_t at = 0; at < value.size(); ++at) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            std::array<char, 1024> copy;
            std::memcpy(copy.data(), value.data(), value.size());
            copy[at] = static_cast<char>(byte);
            ok = use(Exact({copy.data(), value.size()})) && ok;
        }
    }
    return ok;
}

TokenEntry full_token(const std::array<char, 36>& allow, Kind kind) {
    TokenEntry entry;
    entry.kind = kind;
    entry.id = "some-id";
    entry.name = "Some name";
    entry.subject = "ada";
    entry.not_before = 1;
    entry.scopes = "agents:read calls:*";
    entry.allow = {allow.data(), allow.size()};
    if (kind == kind_user) {
        entry.user_key = user_key("ada");
        entry.memberships = {Membership{"acme", 1, 2}, Membership{"b", 2, 3}, Membership{"c", 3, 4},
                             Membership{"d", 4, no_role}};
        entry.membership_count = 4;
    } else {
        entry.organization = "acme";
        entry.group = "ops";
    }
    return entry;
}

void damaged_tokens(void**) {
    std::array<char, 36> allow{};
    for (const Kind kind : {kind_group, kind_user}) {
        char buffer[1024];
        const std::size_t size = encode(full_token(allow, kind), false, buffer, sizeof(buffer));
        assert_int_not_equal(size, 0);
        assert_true(survives_truncation({buffer, size}, use_token));
        assert_true(survives_other_bytes({buffer, size}, use_token));
    }
}

void a_cut_token_is_none(void**) {
    std::array<char, 36> allow{};
    char buffer[1024];
    const std::size_t size = encode(full_token(allow, kind_user), false, buffer, sizeof(buffer));
    TokenView view;
    for (std::size_t cut = 0; cut < size; ++cut) {
        assert_false(view.parse({buffer, cut}));
    }
    assert_true(view.parse({buffer, size}));
}

void damaged_users(void**) {
    const Membership memberships[] = {{"org-0", 0, 1}, {"org-1", 1, 1}, {"org-2", 2, 1},
                                      {"org-3", 3, 1}, {"org-4", 3, 1}, {"org-5", 5, 1}};
    char buffer[1024];
    const std::size_t size = encode_user("ada", memberships, 6, buffer, sizeof(buffer));
    assert_int_not_equal(size, 0);
    assert_true(survives_truncation({buffer, size}, use_user));
    assert_true(survives_other_bytes({buffer, size}, use_user));
}

void damaged_suspensions_roles_and_meta_records(void**) {
    char buffer[meta_record_max];
    const std::string_view ids[] = {"acme", "beta", "gamma"};
    std::size_t size = encode_suspensions(ids, 3, buffer, sizeof(buffer));
    assert_true(survives_truncation({buffer, size}, use_suspensions));
    assert_true(survives_other_bytes({buffer, size}, use_suspensions));

    size = encode({true, "admin", "a b c"}, buffer, sizeof(buffer));
    assert_true(survives_truncation({buffer, size}, use_role));
    assert_true(survives_other_bytes({buffer, size}, use_role));

    StoreMeta meta;
    meta.source = "registry";
    meta.position = "1234";
    size = encode(meta, buffer, sizeof(buffer));
    assert_true(survives_truncation({buffer, size}, use_meta));
    assert_true(survives_other_bytes({buffer, size}, use_meta));
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    const CMUnitTest tests[] = {
        cmocka_unit_test(damaged_tokens),
        cmocka_unit_test(a_cut_token_is_none),
        cmocka_unit_test(damaged_users),
        cmocka_unit_test(damaged_suspensions_roles_and_meta_records),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
