// rights::authorize(), sentence by sentence of what it promises.
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "rights_world.hpp"

namespace token_auth::unit {
namespace {

using rights::Action;
using rights::Via;

RightsToken of_organization(const std::string& organization, const std::string& role) {
    RightsToken token;
    token.organization = organization;
    token.role = role;
    return token;
}

RightsToken of_group(const std::string& organization, const std::string& group,
                     const std::string& role) {
    RightsToken token = of_organization(organization, role);
    token.kind = kind_group;
    token.group = group;
    return token;
}

RightsToken personal(const std::string& owner, const std::optional<Words>& own) {
    RightsToken token;
    token.kind = kind_user;
    token.owner = owner;
    token.own = own;
    return token;
}

RightsWorld make_world() {
    RightsWorld world;
    world.roles = {
        {"sysadmin", {"auth:system"}},
        {"owner", {"*", "auth:*"}},
        {"admin", {"auth:tokens:write", "auth:members:write", "auth:groups:write", "agents:*"}},
        {"keeper", {"auth:tokens:write", "agents:read"}},
        {"viewer", {"auth:tokens:read"}},
        {"reader", {"agents:read"}},
        {"rotator", {"auth:rotate", "agents:read"}},
    };
    world.organizations["sys"].system = true;
    world.organizations["acme"].groups = {"ops", "dev"};
    world.organizations["globex"].suspended = true;
    world.memberships = {
        {{"root", "sys", ""}, "sysadmin"},    {{"wes", "sys", ""}, "owner"},
        {{"gus", "sys", "ops"}, "sysadmin"},  {{"olga", "acme", ""}, "owner"},
        {{"adam", "acme", ""}, "admin"},      {{"tom", "acme", "ops"}, "keeper"},
        {{"rita", "acme", ""}, "reader"},     {{"vera", "acme", ""}, "viewer"},
        {{"rita", "acme", "ops"}, "owner"},   {{"sue", "globex", ""}, "owner"},
        {{"olga", "globex", ""}, "sysadmin"},
    };
    for (const auto& [key, role] : world.memberships) {
        world.people.insert(key[0]);
    }
    world.tokens = {
        {"reader", of_organization("acme", "reader")},
        {"keeper", of_organization("acme", "keeper")},
        {"strong", of_organization("acme", "owner")},
        {"rotator", of_organization("acme", "rotator")},
        {"ops", of_group("acme", "ops", "reader")},
        {"ops-keeper", of_group("acme", "ops", "keeper")},
        {"dev", of_group("acme", "dev", "reader")},
        {"globex", of_organization("globex", "reader")},
        {"sys", of_organization("sys", "sysadmin")},
        {"rita", personal("rita", Words{"agents:read"})},
        {"adam", personal("adam", Words{"auth:tokens:write", "agents:read"})},
        {"adam-star", personal("adam", Words{"*"})},
        {"adam-all", personal("adam", std::nullopt)},
        {"root", personal("root", Words{"auth:system"})},
        {"wes", personal("wes", Words{"auth:system"})},
        {"olga-rotate", personal("olga", Words{"auth:rotate"})},
    };
    world.tokens["expired"] = of_organization("acme", "reader");
    world.tokens["expired"].expires = world.now;
    world.tokens["rotated"] = of_organization("acme", "reader");
    world.tokens["rotated"].expires = world.now + 10;
    world.tokens["rotated"].rotated = true;
    return world;
}

const RightsWorld world = make_world();

Who person(const std::string& name) {
    return {Via::session, name};
}
Who by(const std::string& token) {
    return {Via::token, token};
}
const Who tokenctl = {Via::tokenctl, ""};

Ask in(Action action, const std::string& organization, const std::string& group = {}) {
    Ask ask;
    ask.action = action;
    ask.organization = organization;
    ask.group = group;
    return ask;
}

Ask create(const std::string& organization, const std::string& group, const std::string& role,
           const std::optional<Words>& own = std::nullopt) {
    Ask ask = in(Action::create_token, organization, group);
    ask.role = role;
    ask.own = own;
    return ask;
}

Ask of(Action action, const std::string& token) {
    Ask ask;
    ask.action = action;
    ask.token = token;
    return ask;
}

Ask change(const std::string& token, const std::string& role,
           std::optional<std::int64_t> expires = std::nullopt) {
    Ask ask = of(Action::change_token, token);
    ask.role = role;
    ask.expires = expires;
    return ask;
}

Ask rotate_until(const std::string& token, std::int64_t expires) {
    Ask ask = of(Action::rotate_token, token);
    ask.expires = expires;
    return ask;
}

Ask member(Action action, const std::string& user, const std::string& organization,
           const std::string& group = {}, const std::string& role = {}) {
    Ask ask = in(action, organization, group);
    ask.user = user;
    ask.role = role;
    return ask;
}

struct Row {
    const char* sentence;
    Who who;
    Ask ask;
    std::string_view answer;  // the code, and what it comes with
};

void all(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        const rights::Decision decision =
            rights::authorize(caller_of(world, row.who), request_of(world, row.ask));
        std::string answer(code_name(decision.code));
        for (const std::string_view more : {decision.scope, decision.field}) {
            answer += more.empty() ? "" : " " + std::string(more);
        }
        for (const std::string& more : decision.scopes) {
            answer += " " + more;
        }
        check_equal(answer, row.answer, "{}: {}", row.sentence, description(row.who));
    }
}

void where() {
    all({
        {"a membership reaches the organization", person("adam"), create("acme", "", "reader"),
         "ok"},
        {"and its groups", person("adam"), create("acme", "dev", "reader"), "ok"},
        {"one in a group reaches that group", person("tom"), create("acme", "ops", "reader"), "ok"},
        {"not the organization", person("tom"), create("acme", "", "reader"),
         "scope_missing auth:tokens:write"},
        {"nor another group", person("tom"), create("acme", "dev", "reader"), "not_found"},
        {"a token reaches what it belongs to", by("keeper"), create("acme", "ops", "reader"), "ok"},
        {"a group's token its group", by("ops-keeper"), create("acme", "ops", "reader"), "ok"},
        {"and no more", by("ops-keeper"), of(Action::see_token, "reader"), "not_found"},
        {"groups are made in the organization", person("adam"), in(Action::add_group, "acme"),
         "ok"},
        {"by nobody of a group", person("rita"), in(Action::remove_group, "acme", "ops"),
         "scope_missing auth:groups:write"},
    });
}

void personal_tokens() {
    all({
        {"their owner's in a session", person("rita"), of(Action::change_token, "rita"), "ok"},
        {"made in a session only", by("adam"), in(Action::create_personal_token, ""),
         "session_required"},
        {"nobody else's", person("olga"), of(Action::see_token, "rita"), "not_found"},
        {"not another token's of the same owner", by("adam"), of(Action::see_token, "adam-all"),
         "not_found"},
        {"manages by the scopes its list names", by("adam"), create("acme", "", "reader"), "ok"},
        {"* names none", by("adam-star"), create("acme", "", "reader"),
         "scope_missing auth:tokens:write"},
        {"by none without a list", by("adam-all"), create("acme", "", "reader"),
         "scope_missing auth:tokens:write"},
        {"sees itself", by("rita"), of(Action::see_token, "rita"), "ok"},
        {"revokes itself", by("rita"), of(Action::revoke_token, "rita"), "ok"},
        {"does not change itself", by("rita"), of(Action::change_token, "rita"),
         "session_required"},
        {"does not delete itself", by("rita"), of(Action::delete_token, "rita"),
         "session_required"},
        {"rotates itself by auth:rotate", by("olga-rotate"),
         of(Action::rotate_token, "olga-rotate"), "ok"},
        {"not without", by("rita"), of(Action::rotate_token, "rita"), "scope_missing auth:rotate"},
        {"the system sees it", person("root"), of(Action::see_token, "rita"), "ok"},
        {"and deletes it", by("sys"), of(Action::delete_token, "rita"), "ok"},
        {"no more", person("root"), of(Action::restore_token, "rita"), "session_required"},
        {"but tokenctl does all", tokenctl, of(Action::restore_token, "rita"), "ok"},
    });
}

void itself() {
    all({
        {"any token sees itself", by("reader"), of(Action::see_token, "reader"), "ok"},
        {"introspects itself", by("reader"), of(Action::introspect_token, "reader"), "ok"},
        {"revokes itself", by("reader"), of(Action::revoke_token, "reader"), "ok"},
        {"rotates itself by auth:rotate, which is administrative", by("rotator"),
         of(Action::rotate_token, "rotator"), "ok"},
        {"names no expiry", by("rotator"), rotate_until("rotator", 0), "fields_invalid expires"},
        {"auth:tokens:write is not enough", by("keeper"), of(Action::rotate_token, "keeper"),
         "scope_missing auth:rotate"},
        {"is refused in a suspended organization", by("globex"), of(Action::see_token, "globex"),
         "organization_suspended"},
    });
}

void nobody_grants_more_than_they_hold() {
    all({
        {"as it results", person("adam"), create("acme", "", "owner"), "grant_exceeds * auth:*"},
        {"the own list too", person("adam"), create("acme", "", "reader", Words{"calls:read"}),
         "grant_exceeds calls:read"},
        {":write includes :read", person("adam"), create("acme", "", "viewer"), "ok"},
        {"as it was, changed", person("adam"), change("strong", "reader"),
         "grant_exceeds * auth:*"},
        {"changed to more", person("adam"), change("reader", "owner"), "grant_exceeds * auth:*"},
        {"restored", person("adam"), of(Action::restore_token, "strong"), "grant_exceeds * auth:*"},
        {"rotated", person("adam"), of(Action::rotate_token, "strong"), "grant_exceeds * auth:*"},
        {"deleted", person("adam"), of(Action::delete_token, "strong"), "grant_exceeds * auth:*"},
        {"but revoked", person("adam"), of(Action::revoke_token, "strong"), "ok"},
        {"a member put", person("adam"), member(Action::put_member, "tom", "acme", "", "owner"),
         "grant_exceeds * auth:*"},
        {"removed", person("adam"), member(Action::remove_member, "olga", "acme"),
         "grant_exceeds * auth:*"},
        {"with its groups", person("adam"), member(Action::remove_member, "rita", "acme"),
         "grant_exceeds * auth:*"},
        {"a group with what is in it", person("adam"), in(Action::remove_group, "acme", "ops"),
         "grant_exceeds * auth:*"},
        {"the system grants all", by("sys"), create("acme", "", "owner"), "ok"},
        {"auth:* is not auth:system", person("olga"), create("acme", "", "sysadmin"),
         "grant_exceeds auth:system"},
        {"nor in the system organization", person("wes"), create("sys", "", "sysadmin"),
         "grant_exceeds auth:system"},
        {"a token gives nothing administrative", by("keeper"), create("acme", "", "keeper"),
         "grant_exceeds auth:tokens:write"},
        {"nor restores it", by("keeper"), of(Action::restore_token, "ops-keeper"),
         "grant_exceeds auth:tokens:write"},
        {"but deletes it", by("keeper"), of(Action::delete_token, "ops-keeper"), "ok"},
        {"everybody may leave", person("rita"), member(Action::remove_member, "rita", "acme"),
         "ok"},
        {"in a session", by("rita"), member(Action::remove_member, "rita", "acme"), "not_found"},
    });
}

void who_sees_what() {
    all({
        {"an organization by its members", person("rita"), in(Action::see_organization, "acme"),
         "ok"},
        {"and those of its groups", person("tom"), in(Action::see_organization, "acme"), "ok"},
        {"nobody else", person("sue"), in(Action::see_organization, "acme"), "not_found"},
        {"a group by its members", person("tom"), in(Action::see_group, "acme", "ops"), "ok"},
        {"who manages the organization", person("vera"), in(Action::see_group, "acme", "dev"),
         "ok"},
        {"not its other members", person("rita"), in(Action::see_group, "acme", "dev"),
         "not_found"},
        {"tokens by who may read them", person("vera"), of(Action::see_token, "reader"), "ok"},
        {"not the others", person("rita"), of(Action::see_token, "reader"), "not_found"},
        {"what one sees and may not", person("vera"), of(Action::revoke_token, "reader"),
         "scope_missing auth:tokens:write"},
        {"members alike", person("rita"), member(Action::see_member, "adam", "acme"), "not_found"},
        {"putting one tells nothing", person("rita"),
         member(Action::put_member, "adam", "acme", "", "reader"),
         "scope_missing auth:members:write"},
        {"people are the system's", person("olga"), in(Action::use_system_entry, ""), "not_found"},
        {"roles too", person("olga"), in(Action::use_system_list, ""), "scope_missing auth:system"},
        {"and organizations", person("olga"), in(Action::change_organization, "acme"),
         "scope_missing auth:system"},
        {"owners of personal tokens that are members", by("strong"),
         [] {
             Ask ask = of(Action::introspect_token, "rita");
             ask.organization = "acme";
             return ask;
         }(),
         "ok"},
        {"and of no other organization", by("strong"), of(Action::introspect_token, "root"),
         "not_found"},
    });
}

void the_system() {
    all({
        {"by its whole name in the system organization", person("root"),
         in(Action::remove_organization, "acme"), "ok"},
        {"not by auth:*", person("wes"), in(Action::add_organization, ""),
         "scope_missing auth:system"},
        {"nor where a list names what a role only covers", by("wes"),
         in(Action::add_organization, ""), "scope_missing auth:system"},
        {"nor by its groups", person("gus"), in(Action::add_organization, ""),
         "scope_missing auth:system"},
        {"nor in another organization", person("olga"), in(Action::add_organization, ""),
         "scope_missing auth:system"},
        {"by a personal token that names it", by("root"), in(Action::add_organization, ""), "ok"},
        {"does not end itself", person("root"), in(Action::remove_organization, "sys"),
         "system_organization"},
        {"nor suspend", by("sys"), in(Action::suspend_organization, "sys"), "system_organization"},
        {"tokenctl does", tokenctl, in(Action::remove_organization, "sys"), "ok"},
    });
}

void suspended_and_final() {
    all({
        {"sessions read", person("sue"), in(Action::list_tokens, "globex"), "ok"},
        {"revoke", person("sue"), of(Action::revoke_token, "globex"), "ok"},
        {"delete", person("sue"), of(Action::delete_token, "globex"), "ok"},
        {"leave", person("sue"), member(Action::remove_member, "sue", "globex"), "ok"},
        {"and no more", person("sue"), create("globex", "", "reader"), "organization_suspended"},
        {"not restore either", person("sue"), of(Action::restore_token, "globex"),
         "organization_suspended"},
        {"but the system", person("root"), create("globex", "", "reader"), "ok"},
        {"what expired is not moved on", person("adam"), change("expired", "reader", 0),
         "token_final"},
        {"nor what was rotated", person("adam"), change("rotated", "reader", world.now + 11),
         "token_final"},
        {"but shortened", person("adam"), change("rotated", "reader", world.now + 9), "ok"},
        {"by nobody", tokenctl, change("expired", "reader", world.now + 1), "token_final"},
    });
}

void password_alone() {
    all({
        {"makes a personal token",
         {Via::auth_token, "olga"},
         in(Action::create_personal_token, ""),
         "ok"},
        {"and nothing else",
         {Via::auth_token, "olga"},
         in(Action::see_self, ""),
         "session_required"},
    });
    check(may(caller_of(world, {Via::auth_token, "olga"}), place_of(world, "acme", "")).empty(),
          "holds nothing");
}

std::string may_text(const Who& who, const std::string& organization, const std::string& group) {
    std::string text;
    for (const std::string_view one :
         rights::may(caller_of(world, who), place_of(world, organization, group))) {
        text += (text.empty() ? "" : " ") + std::string(one);
    }
    return text;
}

void administrative_scopes_are_written_out() {
    check_equal(may_text(person("olga"), "acme", ""),
                "auth:audit:read auth:groups:write auth:members:read auth:members:write "
                "auth:rotate auth:tokens:read auth:tokens:write",
                "auth:*");
    check_equal(may_text(person("adam"), "acme", "ops"),
                "auth:members:read auth:members:write auth:tokens:read auth:tokens:write",
                "in a group");
    check_equal(may_text(person("root"), "sys", "").find("auth:system") != std::string::npos, true,
                "the system in its organization");
    check_equal(may_text(person("root"), "acme", "").find("auth:system"), std::string::npos,
                "the system elsewhere");
    check_equal(may_text(person("rita"), "acme", ""), "", "nothing");
}

void what_is_offered() {
    const rights::Caller adam = caller_of(world, person("adam"));
    const rights::Place acme = place_of(world, "acme", "");
    check(may_give(adam, acme, rights::Scopes{"agents:read", "auth:tokens:read"}), "what he holds");
    check(!may_give(adam, acme, rights::Scopes{"agents:read", "calls:read"}), "what he does not");
    check(may_give(adam, acme, rights::Scopes{}), "nothing");
    const rights::Caller keeper = caller_of(world, by("keeper"));
    check(may_give(keeper, acme, "agents:read"), "by a token");
    check(!may_give(keeper, acme, "auth:tokens:read"), "not administrative by a token");
    check(is_of_use(caller_of(world, person("tom")), "auth:tokens:write"), "held in a group");
    check(!is_of_use(caller_of(world, person("tom")), "auth:members:read"), "held nowhere");
    check(!is_of_use(caller_of(world, person("wes")), "auth:system"), "only covered");
    check(is_of_use(caller_of(world, person("root")), "auth:system"), "the system's");
    check(rights::is_administrative({"agents:read", "auth:x"}), "administrative");
    check(!rights::is_administrative({"*", "authority:read"}), "not administrative");
}

void whose_acts() {
    using rights::AuditReach;
    check_equal(audit_reach(caller_of(world, person("root"))), AuditReach::all, "the system");
    check_equal(audit_reach(caller_of(world, person("olga"))), AuditReach::user, "a person");
    check_equal(audit_reach(caller_of(world, by("adam"))), AuditReach::token, "a token");
}

void a_question_must_be_whole() {
    rights::Request request = request_of(world, create("acme", "", "reader"));
    request.after.reset();
    bool refused = false;
    try {
        rights::authorize(caller_of(world, person("olga")), request);
    } catch (const std::logic_error&) {
        refused = true;
    }
    check(refused, "a grant that nobody told of");
    rights::Caller nobody;
    rights::Request about_nobody = request_of(world, of(Action::see_token, "rita"));
    about_nobody.token.owner.clear();
    check_equal(rights::authorize(nobody, about_nobody).code, rights::Code::not_found,
                "nobody owns nobody's tokens");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(where),
        UNIT_TEST(personal_tokens),
        UNIT_TEST(itself),
        UNIT_TEST(nobody_grants_more_than_they_hold),
        UNIT_TEST(who_sees_what),
        UNIT_TEST(the_system),
        UNIT_TEST(suspended_and_final),
        UNIT_TEST(password_alone),
        UNIT_TEST(administrative_scopes_are_written_out),
        UNIT_TEST(what_is_offered),
        UNIT_TEST(whose_acts),
        UNIT_TEST(a_question_must_be_whole),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
