// Effective scopes, and what they grant.
#include <memory>
#include <string_view>

#include "check.hpp"
#include "token_auth/claims.hpp"

namespace token_auth::unit {
namespace {

void effective() {
    const struct {
        std::string_view role;
        std::string_view of_role;
        std::string_view own;
        std::string_view effective;
    } rows[] = {
        {"", "", "", ""},
        {"", "", "a b", "a b"},
        {"r", "a b", "", "a b"},
        {"r", "", "", ""},
        {"r", "", "a", ""},
        {"r", "a", "b", ""},
        {"r", "a b c", "a c d", "a c"},
        {"r", "agents:*", "agents:read calls:read", "agents:read"},
        {"r", "agents:read", "agents:*", "agents:read"},
        {"r", "agents:*", "agents:*", "agents:*"},
        {"r", "*", "agents:* b", "agents:* b"},
        {"r", "agents:* b", "*", "agents:* b"},
        {"r", "*", "*", "*"},
        {"r", "* a", "* a", "* a"},
        {"r", "*", "auth:* auth:system b", "b"},
        {"r", "* auth:*", "auth:system b", "auth:system b"},
        {"r", "auth:*", "*", ""},
        {"r", "!x a:!b a:* a:c", "a:!b a:* a:d", "a:!b a:* a:c a:d"},
        {"r", "*", "a:b:c d", "a:b:c d"},
        {"r", "a:b:* a:b:c:d", "a:* a:b:c", "a:b:* a:b:c a:b:c:d"},
        {"r", "agents:read:*", "agents:*", "agents:read:*"},
        {"r", "agents:* calls:read", "agents:read calls:*", "agents:read calls:read"},
        {"", "ignored", "a", "a"},
    };
    for (const auto& row : rows) {
        const ScopeSets sets{!row.role.empty(), row.of_role, row.own};
        const std::size_t room = effective_scopes_size(sets);
        const std::unique_ptr<char[]> buffer(new char[room]);
        const std::size_t used = effective_scopes(sets, buffer.get());
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
        {"r", "*", "*", "auth:tokens:read", false},
        {"r", "* auth:*", "", "auth:tokens:read", true},
        {"r", "* auth:*", "*", "auth:tokens:read", false},
        {"r", "agents:read", "*", "agents:*", false},
    };
    for (const auto& row : rows) {
        const ScopeSets sets{!row.role.empty(), row.of_role, row.own};
        check_equal(grants(sets, row.scope), row.granted, "role {:?} ({}), own {}: {}", row.role,
                    row.of_role, row.own, row.scope);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(effective),
        UNIT_TEST(granting),
    };
    return cmocka_run_group_tests_name("claims", tests, nullptr, nullptr);
}
