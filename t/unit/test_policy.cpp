// decide(), over claims made by hand.
#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "store_file.hpp"
#include "token_auth/address.hpp"
#include "token_auth/policy.hpp"

namespace token_auth::unit {
namespace {

constexpr std::int64_t now = 1'700'000'000;

// Claims and a policy with nothing wrong.
struct Case {
    Claims claims;
    TokenEntry entry = token_of("id");
    Requirements requirements;
    std::string_view named;  // the organization
    std::int64_t at = now;
    Address client;
    std::vector<std::string_view> groups;
    std::vector<std::string_view> roles;
    std::vector<std::string_view> scopes;
    std::vector<std::string_view> scopes_any;
    std::string allow;

    Case() {
        claims.known = true;
        claims.member = true;
        claims.organization = entry.organization;
        parse_address("192.0.2.1", client);
    }

    void allow_only(std::string_view block) {
        Cidr encoded{};
        parse_cidr(block, encoded);
        allow.append(reinterpret_cast<const char*>(encoded.data()), encoded.size());
    }

    void become_user() {
        entry.kind = kind_user;
        entry.organization = {};
        entry.organization_number = 0;
        entry.subject = "ann";
        entry.user_key = user_key("ann");
        claims.organization = {};
        claims.member = false;
    }

    void become_group() {
        entry.kind = kind_group;
        entry.group = "ops";
        entry.user_key = 0;
    }

    std::string_view decided() {
        std::array<std::vector<std::string_view>, 4> rooms;
        const auto split = [](const auto& values, IfEmpty if_empty, auto& room) {
            room.resize(words_max(values.data(), values.size()));
            return split_words(values.data(), values.size(), if_empty, room.data());
        };
        requirements.groups = split(groups, IfEmpty::met_by_nobody, rooms[0]);
        requirements.roles = split(roles, IfEmpty::met_by_nobody, rooms[1]);
        requirements.scopes = split(scopes, IfEmpty::nothing_is_required, rooms[2]);
        requirements.scopes_any = split(scopes_any, IfEmpty::nothing_is_required, rooms[3]);
        entry.allow = allow;
        std::array<char, token_entry_max> bytes;
        const std::size_t size = encode(entry, false, bytes.data(), bytes.size());
        if (!claims.token.parse({bytes.data(), size})) {
            return "no such token can be";
        }
        const Words* unmet = nullptr;
        return answer(decide(claims, requirements, named, at, client, unmet)).name;
    }
};

struct Row {
    const char* name;
    std::function<void(Case&)> change;
    std::string_view code;
};

void all(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        Case one;
        row.change(one);
        check_equal(one.decided(), row.code, "{}", row.name);
    }
}

// Everything is wrong at first; each step repairs the check that answered.
void order_of_checking() {
    Case one;
    one.claims.known = false;
    one.entry.disabled = true;
    one.entry.revoked = true;
    one.entry.not_before = now + 1;
    one.entry.expires = now;
    one.allow_only("10.0.0.0/8");
    one.requirements.kinds = kind_group;
    one.become_user();
    one.claims.suspended = true;
    one.groups = {"ops"};
    one.roles = {"admin"};
    one.scopes = {"agents:write"};
    const Row mended[] = {
        {"unknown", [](Case& c) { c.claims.known = true; }, "token_unknown"},
        {"revoked", [](Case& c) { c.entry.revoked = false; }, "token_revoked"},
        {"disabled", [](Case& c) { c.entry.disabled = false; }, "token_revoked"},
        {"too early", [](Case& c) { c.entry.not_before = 0; }, "token_not_yet_valid"},
        {"too late", [](Case& c) { c.entry.expires = 0; }, "token_expired"},
        {"elsewhere", [](Case& c) { c.allow.clear(); }, "address_not_allowed"},
        {"kind", [](Case& c) { c.requirements.kinds = kinds_all; }, "kind_not_allowed"},
        {"none named", [](Case& c) { c.named = "a/b"; }, "organization_missing"},
        {"a bad name",
         [](Case& c) {
             c.become_group();
             c.claims.organization = c.entry.organization = "acme";
             c.named = "globex";
         },
         "organization_malformed"},
        {"another",
         [](Case& c) {
             c.entry.group = {};
             c.become_user();
             c.claims.organization = "globex";
         },
         "organization_mismatch"},
        {"no member", [](Case& c) { c.claims.member = true; }, "not_a_member"},
        {"suspended", [](Case& c) { c.claims.suspended = false; }, "organization_suspended"},
        {"group", [](Case& c) { c.groups.clear(); }, "group_missing"},
        {"role", [](Case& c) { c.roles.clear(); }, "role_missing"},
        {"scope", [](Case& c) { c.scopes.clear(); }, "scope_missing"},
    };
    for (const Row& row : mended) {
        check_equal(one.decided(), row.code, "{}", row.name);
        row.change(one);
    }
    check_equal(one.decided(), std::string_view("ok"), "all mended");
}

void times() {
    all({
        {"from now on", [](Case& c) { c.entry.not_before = now; }, "ok"},
        {"from the next second on", [](Case& c) { c.entry.not_before = now + 1; },
         "token_not_yet_valid"},
        {"expires in a second", [](Case& c) { c.entry.expires = now + 1; }, "ok"},
        {"expires this second", [](Case& c) { c.entry.expires = now; }, "token_expired"},
        {"expired a second ago", [](Case& c) { c.entry.expires = now - 1; }, "token_expired"},
        {"never expires", [](Case& c) { c.at = INT64_MAX; }, "ok"},
        {"expires at the end of time",
         [](Case& c) {
             c.entry.expires = INT64_MAX;
             c.at = INT64_MAX - 1;
         },
         "ok"},
        {"both bounds at one second", [](Case& c) { c.entry.not_before = c.entry.expires = now; },
         "token_expired"},
        {"a time before 1970", [](Case& c) { c.entry.expires = -1; }, "token_expired"},
    });
}

void addresses() {
    all({
        {"no list", [](Case&) {}, "ok"},
        {"within", [](Case& c) { c.allow_only("192.0.2.0/24"); }, "ok"},
        {"without", [](Case& c) { c.allow_only("192.0.2.128/25"); }, "address_not_allowed"},
        {"in the second block",
         [](Case& c) {
             c.allow_only("10.0.0.0/8");
             c.allow_only("192.0.2.1");
         },
         "ok"},
        {"no address and a list",
         [](Case& c) {
             c.client = Address{};
             c.allow_only("0.0.0.0/0");
             c.allow_only("::/0");
         },
         "address_not_allowed"},
        {"no address and no list", [](Case& c) { c.client = Address{}; }, "ok"},
    });
}

void kinds() {
    all({
        {"organization", [](Case& c) { c.requirements.kinds = kind_organization; }, "ok"},
        {"not organization", [](Case& c) { c.requirements.kinds = kind_group | kind_user; },
         "kind_not_allowed"},
        {"no kind at all", [](Case& c) { c.requirements.kinds = 0; }, "kind_not_allowed"},
        {"group",
         [](Case& c) {
             c.become_group();
             c.requirements.kinds = kind_group;
         },
         "ok"},
        {"user",
         [](Case& c) {
             c.become_user();
             c.requirements.kinds = kind_user;
             c.requirements.organization_mode = OrganizationMode::off;
         },
         "ok"},
    });
}

void organizations() {
    constexpr auto off = OrganizationMode::off;
    constexpr auto optional = OrganizationMode::optional;
    const auto user = [](OrganizationMode mode, std::string_view named, bool member) {
        return [=](Case& c) {
            c.become_user();
            c.requirements.organization_mode = mode;
            c.named = named;
            if (mode != OrganizationMode::off && named.find('/') == std::string_view::npos) {
                c.claims.organization = named;
                c.claims.member = member;
            }
        };
    };
    const auto own = [](OrganizationMode mode, std::string_view named) {
        return [=](Case& c) {
            c.requirements.organization_mode = mode;
            c.named = named;
        };
    };
    constexpr auto required = OrganizationMode::required;
    all({
        {"own, none named", own(required, ""), "ok"},
        {"own, named too", own(required, "acme"), "ok"},
        {"own, in other letters", own(required, "Acme"), "organization_mismatch"},
        {"own, another named", own(required, "globex"), "organization_mismatch"},
        {"own, nonsense named", own(required, "a/b"), "organization_malformed"},
        {"own, another named, optional", own(optional, "globex"), "organization_mismatch"},
        {"own, nonsense named, optional", own(optional, "a b"), "organization_malformed"},
        {"own, another named, off", own(off, "globex"), "ok"},
        {"own, nonsense named, off", own(off, "a/b"), "ok"},
        {"user, none named", user(required, "", false), "organization_missing"},
        {"user, none named, optional", user(optional, "", false), "ok"},
        {"user, none named, off", user(off, "", false), "ok"},
        {"member", user(required, "acme", true), "ok"},
        {"member, optional", user(optional, "acme", true), "ok"},
        {"no member", user(required, "acme", false), "not_a_member"},
        {"no member, optional", user(optional, "acme", false), "not_a_member"},
        {"no member, off", user(off, "acme", false), "ok"},
        {"user, nonsense named", user(required, "a/b", false), "organization_malformed"},
        {"user, nonsense named, optional", user(optional, "a/b", false), "organization_malformed"},
        {"user, nonsense named, off", user(off, "a/b", false), "ok"},
        {"suspended", [](Case& c) { c.claims.suspended = true; }, "organization_suspended"},
        {"suspended, off",
         [](Case& c) {
             c.claims.suspended = true;
             c.requirements.organization_mode = OrganizationMode::off;
         },
         "organization_suspended"},
    });
}

void groups() {
    const auto group = [](const std::vector<std::string_view>& wanted) {
        return [=](Case& c) {
            c.become_group();
            c.groups = wanted;
        };
    };
    all({
        {"its name", group({"ops"}), "ok"},
        {"its full name", group({"acme/ops"}), "ok"},
        {"one of several values", group({"admins", "ops"}), "ok"},
        {"one of several words", group({"admins acme/ops"}), "ok"},
        {"another", group({"admins"}), "group_missing"},
        {"of another organization", group({"globex/ops"}), "group_missing"},
        {"a longer one", group({"ops2"}), "group_missing"},
        {"in other letters", group({"OPS"}), "group_missing"},
        {"a slash alone", group({"/"}), "group_missing"},
        {"a slash before it", group({"/ops"}), "group_missing"},
        {"two slashes", group({"acme/ops/x"}), "group_missing"},
        {"the organization alone", group({"acme/"}), "group_missing"},
        {"an empty value", group({""}), "group_missing"},
        {"a value of spaces", group({"   "}), "group_missing"},
        {"an empty value among others", group({"", "admins"}), "group_missing"},
        {"an organization token", [](Case& c) { c.groups = {"ops"}; }, "group_missing"},
        {"an organization token and its organization", [](Case& c) { c.groups = {"acme/"}; },
         "group_missing"},
    });
}

void roles() {
    const auto role = [](std::string_view has, const std::vector<std::string_view>& wanted) {
        return [=](Case& c) {
            c.claims.role = has;
            c.roles = wanted;
        };
    };
    all({
        {"it", role("admin", {"admin"}), "ok"},
        {"any of two values", role("admin", {"viewer", "admin"}), "ok"},
        {"any of two words", role("admin", {"viewer  admin "}), "ok"},
        {"another", role("admin", {"viewer"}), "role_missing"},
        {"in other letters", role("admin", {"Admin"}), "role_missing"},
        {"none at all", role("", {"admin"}), "role_missing"},
        {"an empty value", role("", {""}), "role_missing"},
        {"empty values", role("", {"", ""}), "role_missing"},
        {"a value of spaces", role("admin", {"admin", " "}), "role_missing"},
        {"an empty value among others", role("", {"", "admin"}), "role_missing"},
    });
}

// What a role met under a number is not compared again, unless the token has scopes of its own.
void a_role_that_met_the_scopes() {
    const auto with = [](std::uint64_t met, unsigned number, std::string_view has,
                         std::string_view own, std::string_view code, std::uint64_t left) {
        Case one;
        std::uint64_t meets = met;
        one.claims.role = "reader";
        one.claims.role_scopes = has;
        one.claims.role_meets = &meets;
        one.entry.scopes = own;
        one.scopes = {"a"};
        one.requirements.number = number;
        check_equal(one.decided(), code, "met {}, number {}, \"{}\", \"{}\"", met, number, has,
                    own);
        check_equal(meets, left, "met {}, number {}, \"{}\", \"{}\"", met, number, has, own);
    };
    with(0, 3, "a", "", "ok", 8);
    with(4, 3, "a", "", "ok", 12);
    with(8, 3, "b", "", "ok", 8);
    with(4, 3, "b", "", "scope_missing", 4);
    with(0, 3, "b", "", "scope_missing", 0);
    with(8, 3, "a", "b", "scope_missing", 8);
    with(0, 3, "a", "a", "ok", 0);
    with(0, 63, "a", "", "ok", std::uint64_t{1} << 63);
    with(UINT64_MAX, Requirements::numbers_max, "b", "", "scope_missing", UINT64_MAX);
    with(0, Requirements::numbers_max, "a", "", "ok", 0);
}

void scopes() {
    const auto scope = [](std::string_view own, const std::vector<std::string_view>& wanted,
                          const std::vector<std::string_view>& any) {
        return [=](Case& c) {
            c.entry.scopes = own;
            c.scopes = wanted;
            c.scopes_any = any;
        };
    };
    all({
        {"it", scope("a", {"a"}, {}), "ok"},
        {"all of two", scope("a b", {"a", "b"}, {}), "ok"},
        {"all of two words", scope("a b", {"b a"}, {}), "ok"},
        {"one of two", scope("a", {"a", "b"}, {}), "scope_missing"},
        {"one of two words", scope("a", {"a b"}, {}), "scope_missing"},
        {"any of two", scope("a", {}, {"a", "b"}), "ok"},
        {"any of two words", scope("b", {}, {"a b"}), "ok"},
        {"none of two", scope("c", {}, {"a", "b"}), "scope_missing"},
        {"all, but none of any", scope("a", {"a"}, {"b"}), "scope_missing"},
        {"any, but not all", scope("a", {"b"}, {"a"}), "scope_missing"},
        {"both", scope("a b", {"a"}, {"b c"}), "ok"},
        {"by a wildcard", scope("agents:*", {"agents:read agents:write"}, {}), "ok"},
        {"by the widest", scope("*", {"agents:read"}, {"calls:read"}), "ok"},
        {"nothing granted", scope("", {"a"}, {}), "scope_missing"},
        {"nothing granted, nothing asked", scope("", {"", ""}, {"", ""}), "ok"},
        {"a value of spaces", scope("*", {" "}, {}), "scope_missing"},
        {"a value of spaces among any", scope("*", {}, {"a", " "}), "scope_missing"},
        {"an empty value among others", scope("", {"", "a"}, {}), "scope_missing"},
        {"an empty value among any", scope("", {}, {"", "a"}), "scope_missing"},
    });
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(order_of_checking),
        UNIT_TEST(times),
        UNIT_TEST(addresses),
        UNIT_TEST(kinds),
        UNIT_TEST(organizations),
        UNIT_TEST(groups),
        UNIT_TEST(roles),
        UNIT_TEST(scopes),
        UNIT_TEST(a_role_that_met_the_scopes),
    };
    return cmocka_run_group_tests_name("policy", tests, nullptr, nullptr);
}
