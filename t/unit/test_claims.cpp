// The claims of a presented token, read from a real store, and what it grants.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "scratch.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/resolve.hpp"

namespace token_auth::unit {
namespace {

constexpr std::string_view pepper = "0123456789abcdef0123456789abcdef";
constexpr std::string_view other_pepper = "fedcba9876543210fedcba9876543210";

TokenRecord user_record() {
    TokenRecord record = plain_record();
    record.kind = kind_user;
    record.subject = "ann";
    record.organization = {};
    return record;
}

// One world for all of these tests.
std::vector<Entry> world() {
    TokenRecord with_role = plain_record();
    with_role.role = "admin";
    TokenRecord role_gone = plain_record();
    role_gone.role = "gone";
    TokenRecord disabled = plain_record();
    disabled.subject_disabled = true;
    TokenRecord of_gone = plain_record();
    of_gone.organization = "gone";
    TokenRecord of_suspended = plain_record();
    of_suspended.organization = "initech";
    TokenRecord user = user_record();
    user.role = "admin";  // counts for nothing: a user's role is the membership's
    TokenRecord user_gone = user_record();
    user_gone.subject = "gone";
    TokenRecord user_disabled = user_record();
    user_disabled.subject = "bob";
    return {
        meta_entry(1),
        organization_entry("acme"),
        organization_entry("globex"),
        organization_entry("initech", true),
        user_entry("ann"),
        user_entry("bob", true),
        role_entry("admin", "agents:* calls:read"),
        role_entry("viewer", "agents:read"),
        membership_entry("ann", "acme", "viewer"),
        membership_entry("ann", "initech", "viewer"),
        membership_entry("ann", "left-over", "viewer"),
        membership_entry("bob", "acme", "viewer"),
        token_entry(digest_of("plain"), plain_record()),
        token_entry(digest_of("with role"), with_role),
        token_entry(digest_of("role gone"), role_gone),
        token_entry(digest_of("disabled"), disabled),
        token_entry(digest_of("of gone"), of_gone),
        token_entry(digest_of("of suspended"), of_suspended),
        token_entry(digest_of("user"), user),
        token_entry(digest_of("user gone"), user_gone),
        token_entry(digest_of("user disabled"), user_disabled),
    };
}

constexpr auto required = OrganizationMode::required;
constexpr auto optional = OrganizationMode::optional;
constexpr auto off = OrganizationMode::off;

void resolving() {
    const Directory directory;
    write_store(directory / "db", world());
    Store store;
    check(store.open((directory / "db").c_str()), "open: {}", store.problem());

    const struct {
        const char* token;
        OrganizationMode mode;
        std::string_view named;
        Lookup found;
        bool disabled;
        std::string_view organization;
        bool member;
        bool suspended;
        std::string_view role;
        std::string_view role_scopes;
    } rows[] = {
        {"plain", required, "", Lookup::found, false, "acme", true, false, "", ""},
        {"plain", required, "globex", Lookup::found, false, "acme", true, false, "", ""},
        {"plain", off, "", Lookup::found, false, "acme", true, false, "", ""},
        {"plain", required, "b/d", Lookup::found, false, "acme", true, false, "", ""},
        {"with role", required, "", Lookup::found, false, "acme", true, false, "admin",
         "agents:* calls:read"},
        {"role gone", required, "", Lookup::found, false, "acme", true, false, "gone", ""},
        {"disabled", required, "", Lookup::found, true, "acme", true, false, "", ""},
        {"of gone", required, "", Lookup::not_found, false, "", false, false, "", ""},
        {"of suspended", required, "", Lookup::found, false, "initech", true, true, "", ""},
        {"user", required, "acme", Lookup::found, false, "acme", true, false, "viewer",
         "agents:read"},
        {"user", optional, "acme", Lookup::found, false, "acme", true, false, "viewer",
         "agents:read"},
        {"user", off, "acme", Lookup::found, false, "", false, false, "", ""},
        {"user", required, "", Lookup::found, false, "", false, false, "", ""},
        {"user", required, "b/d", Lookup::found, false, "", false, false, "", ""},
        {"user", required, "globex", Lookup::found, false, "globex", false, false, "", ""},
        {"user", required, "nowhere", Lookup::found, false, "nowhere", false, false, "", ""},
        {"user", required, "left-over", Lookup::found, false, "left-over", false, false, "", ""},
        {"user", required, "initech", Lookup::found, false, "initech", true, true, "viewer",
         "agents:read"},
        {"user gone", required, "acme", Lookup::not_found, false, "", false, false, "", ""},
        {"user disabled", required, "acme", Lookup::found, true, "acme", true, false, "viewer",
         "agents:read"},
        {"no such token", required, "", Lookup::not_found, false, "", false, false, "", ""},
    };
    for (const auto& row : rows) {
        Snapshot snapshot(store);
        Claims claims;
        claims.known = true;  // what was there before must not show through
        claims.member = true;
        claims.role = "before";
        const Lookup found = resolve(snapshot, digest_of(row.token), row.mode, row.named, claims);
        const std::string what = fmt::format("{} in {:?}", row.token, row.named);
        check_equal(found, row.found, "{}", what);
        check_equal(claims.known, row.found == Lookup::found, "{}: known", what);
        if (found != Lookup::found) {
            continue;  // nothing else is promised
        }
        check_equal(claims.disabled, row.disabled, "{}: disabled", what);
        check_equal(claims.organization, row.organization, "{}: organization", what);
        check_equal(claims.member, row.member, "{}: member", what);
        check_equal(claims.suspended, row.suspended, "{}: suspended", what);
        check_equal(claims.role, row.role, "{}: role", what);
        check_equal(claims.role_scopes, row.role_scopes, "{}: role's scopes", what);
    }
}

// Damage to any record that a decision needs: the store is broken, never a smaller answer.
void damaged_records() {
    const std::vector<Entry> whole = world();
    const struct {
        const char* name;
        std::string key;
        const char* token;
    } rows[] = {
        {"organization", organization_entry("acme").key, "plain"},
        {"role", role_entry("admin", "").key, "with role"},
        {"token", token_entry(digest_of("plain"), plain_record()).key, "plain"},
        {"user", user_entry("ann").key, "user"},
        {"membership", membership_entry("ann", "acme", "x").key, "user"},
        {"organization of a member", organization_entry("acme").key, "user"},
        {"role of a member", role_entry("viewer", "").key, "user"},
    };
    for (const auto& row : rows) {
        const Directory directory;
        std::vector<Entry> entries = whole;
        entries.push_back({row.key, "damaged"});
        write_store(directory / "db", entries);
        Store store;
        check(store.open((directory / "db").c_str()), "open: {}", store.problem());
        Claims claims;
        {
            Snapshot snapshot(store);
            check_equal(resolve(snapshot, digest_of(row.token), required, "acme", claims),
                        Lookup::broken, "{}", row.name);
        }
        check(!claims.known, "{}: known all the same", row.name);
        check(std::string_view(store.problem()).find("damaged") != std::string_view::npos, "{}: {}",
              row.name, store.problem());
        Digester digester;
        KeyId missing = no_key;
        Snapshot snapshot(store);
        check(digester.init(), "init");
        check_equal(identify(snapshot, digester, row.token, required, "acme", claims, missing),
                    Identified::broken, "{}, by the token", row.name);
        check(!claims.known, "{}: known by the token all the same", row.name);
    }
}

Entry keyed_entry(std::string_view key, std::string_view token, KeyId stored_as, KeyId& id) {
    Digester digester;
    Digest digest;
    if (!digester.init() || !digester.add_key(key) || !digester.keyed(0, token, digest)) {
        throw std::runtime_error("libcrypto gives no HMAC");
    }
    id = digester.key_id(0);
    TokenRecord record = plain_record();
    record.key_id = stored_as == no_key ? id : stored_as;
    return token_entry(digest, record);
}

void identifying() {
    KeyId first = no_key;
    KeyId second = no_key;
    const Entry under_first = keyed_entry(pepper, "first", no_key, first);
    const Entry under_second = keyed_entry(other_pepper, "second", no_key, second);
    const Entry mislabelled = keyed_entry(pepper, "mislabelled", second, first);
    const Directory directory;
    const std::vector<Entry> records = {organization_entry("acme"), under_first, under_second,
                                        mislabelled,
                                        token_entry(digest_of("plain"), plain_record())};

    const struct {
        const char* name;
        std::vector<std::string_view> keys;
        std::vector<KeyUse> uses;
        std::string_view token;
        Identified identified;
        KeyId missing;
    } rows[] = {
        {"plain", {}, {{no_key, 1}}, "plain", Identified::found, no_key},
        {"unknown", {}, {{no_key, 1}}, "nothing", Identified::not_found, no_key},
        {"no token at all", {}, {}, "plain", Identified::not_found, no_key},
        {"plain ones are not used", {pepper}, {{first, 1}}, "plain", Identified::not_found, no_key},
        {"keyed", {pepper}, {{first, 1}}, "first", Identified::found, no_key},
        {"keyed, among others",
         {other_pepper, pepper},
         {{no_key, 1}, {second, 1}, {first, 1}},
         "first",
         Identified::found,
         no_key},
        {"keyed by the other",
         {pepper, other_pepper},
         {{no_key, 1}, {second, 1}, {first, 1}},
         "second",
         Identified::found,
         no_key},
        {"key not at hand",
         {pepper},
         {{first, 1}, {second, 1}},
         "second",
         Identified::key_missing,
         second},
        {"no key at hand", {}, {{no_key, 1}, {first, 1}}, "first", Identified::key_missing, first},
        {"found before the key is missed",
         {},
         {{no_key, 1}, {first, 1}},
         "plain",
         Identified::found,
         no_key},
        {"found although a key is missing",
         {},
         {{first, 1}, {no_key, 1}},
         "plain",
         Identified::found,
         no_key},
        {"key that the store does not use",
         {pepper},
         {{no_key, 1}},
         "first",
         Identified::not_found,
         no_key},
        {"record of another key",
         {pepper, other_pepper},
         {{first, 1}, {second, 1}},
         "mislabelled",
         Identified::not_found,
         no_key},
    };
    std::uint64_t generation = 0;
    for (const auto& row : rows) {
        std::vector<Entry> entries = records;
        entries.push_back(meta_entry(++generation, row.uses));
        WriteOptions options;
        options.replace = true;
        write_store(directory / "db", entries, options);
        Digester digester;
        check(digester.init(), "init");
        for (const std::string_view key : row.keys) {
            check(digester.add_key(key), "take a key in");
        }
        Store store;
        check(store.open((directory / "db").c_str()), "open: {}", store.problem());
        Snapshot snapshot(store);
        Claims claims;
        KeyId missing = no_key;
        const Identified identified =
            identify(snapshot, digester, row.token, required, "", claims, missing);
        check_equal(identified, row.identified, "{}", row.name);
        check_equal(claims.known, identified == Identified::found, "{}: known", row.name);
        if (identified == Identified::key_missing) {
            check_equal(missing, row.missing, "{}: the missing key", row.name);
        }
        if (identified != Identified::found) {
            check(claims.token.id.empty(), "{}: claims of token {}", row.name, claims.token.id);
        }
    }
}

void effective() {
    const struct {
        std::string_view role;
        std::string_view of_role;
        std::string_view own;
        std::string_view effective;
    } rows[] = {
        {"", "", "", ""},
        {"", "", "b a", "a b"},
        {"", "", "a a  a", "a"},
        {"r", "a b", "", "a b"},
        {"r", "", "", ""},
        {"r", "", "a", ""},
        {"r", "a", "b", ""},
        {"r", "a b c", "d c a", "a c"},
        {"r", "agents:*", "agents:read calls:read", "agents:read"},
        {"r", "agents:read", "agents:*", "agents:read"},
        {"r", "agents:*", "agents:*", "agents:*"},
        {"r", "*", "agents:* b", "agents:* b"},
        {"r", "agents:* b", "*", "agents:* b"},
        {"r", "*", "*", "*"},
        {"r", "* a", "a *", "* a"},
        {"r", "agents:read:*", "agents:*", "agents:read:*"},
        {"r", "agents:* calls:read", "agents:read calls:*", "agents:read calls:read"},
        {"", "ignored", "a", "a"},
    };
    for (const auto& row : rows) {
        Claims claims;
        claims.known = true;
        claims.role = row.role;
        claims.role_scopes = row.role.empty() ? std::string_view() : row.of_role;
        claims.token.scopes = row.own;
        const std::size_t room = effective_scopes_size(claims);
        const std::unique_ptr<char[]> buffer(new char[room]);
        const std::size_t used = effective_scopes(claims, buffer.get());
        check(used <= room, "{} and {}: {} bytes into {}", row.of_role, row.own, used, room);
        check_equal(std::string_view(buffer.get(), used), row.effective, "{} and {}", row.of_role,
                    row.own);
    }
}

void granting() {
    const struct {
        std::string_view role;
        std::string_view of_role;
        std::string_view own;
        std::string_view scope;
        bool granted;
    } rows[] = {
        {"", "", "", "a", false},
        {"", "", "a", "a", true},
        {"", "", "a", "b", false},
        {"r", "a", "", "a", true},
        {"r", "a", "b", "a", false},
        {"r", "a", "b", "b", false},
        {"r", "a b", "b", "b", true},
        {"r", "", "a", "a", false},  // a role without scopes gives nothing away
        {"r", "agents:*", "*", "agents:read", true},
        {"r", "agents:*", "*", "calls:read", false},
        {"r", "*", "*", "agents:*", true},
        {"r", "agents:read", "*", "agents:*", false},
    };
    for (const auto& row : rows) {
        Claims claims;
        claims.role = row.role;
        claims.role_scopes = row.of_role;
        claims.token.scopes = row.own;
        check_equal(grants(claims, row.scope), row.granted, "role {:?} ({}), own {}: {}", row.role,
                    row.of_role, row.own, row.scope);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(resolving), UNIT_TEST(damaged_records), UNIT_TEST(identifying),
        UNIT_TEST(effective), UNIT_TEST(granting),
    };
    return cmocka_run_group_tests_name("claims", tests, nullptr, nullptr);
}
