// GuardedReader and GuardedWriter on a real registry: that they ask rights::authorize() about what
// is there, and do what it lets them, all or nothing.
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "registry/guarded.hpp"
#include "registry/registry.hpp"

namespace token_auth::unit {
namespace {

using namespace registry;
using rights::Action;
using rights::Via;

constexpr std::int64_t now = 1'800'000'000;
// Who calls: a person in a session, a token, or tokenctl.
struct Who {
    Via via = Via::tokenctl;
    std::string id{};
};
const Who tokenctl{};

Who person(const std::string& name) {
    return {Via::session, name};
}
Who by(const std::string& token) {
    return {Via::token, token};
}

rights::Holding holding_of(Reader& reader, const std::string& organization,
                           const std::string& group, const std::string& role) {
    const auto found = reader.organization(organization);
    const auto scopes = reader.role(role);
    return {{organization, group, found->suspended, found->system},
            scopes ? scopes->scopes : rights::Scopes()};
}

void add_memberships(Reader& reader, const std::string& user, rights::Caller& caller) {
    MemberFilter filter;
    filter.user = user;
    std::vector<registry::Membership> all;
    const auto take = [&](const registry::Membership& each) { all.push_back(each); };
    reader.memberships(filter, take);
    reader.group_memberships(filter, take);
    for (const registry::Membership& each : all) {
        caller.holdings.push_back(holding_of(reader, each.organization, each.group, each.role));
    }
}

rights::Caller caller_of(Reader& reader, const Who& who) {
    rights::Caller caller;
    caller.via = who.via;
    caller.user = who.via == Via::session ? who.id : "";
    if (who.via == Via::token) {
        const Token token = reader.token(who.id)->token;
        caller.user = token.user;
        caller.token = token.id;
        caller.kind = token.kind;
        caller.own = token.scopes.empty() ? std::nullopt : std::optional(token.scopes);
        if (token.kind != kind_user) {
            caller.holdings.push_back(
                holding_of(reader, token.organization, token.group, token.role));
        }
    }
    if (caller.kind == kind_user) {
        add_memberships(reader, caller.user, caller);
    }
    return caller;
}

TokenFields named(const std::string& name, const std::string& role,
                  const std::vector<std::string>& scopes = {}) {
    TokenFields fields;
    fields.name = name;
    fields.role = role;
    fields.scopes = scopes;
    fields.expires = now + 86400;
    return fields;
}

class Directory {
  public:
    Directory() {
        std::string path = (std::filesystem::temp_directory_path() / "guarded.XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) {
            throw std::runtime_error("mkdtemp failed");
        }
        path_ = path;
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string url() const { return "sqlite:" + (path_ / "registry.db").string(); }

  private:
    std::filesystem::path path_;
};

// Plain digests.
TokenDigester digester({});

class World {
  public:
    World();

    // What `body` does as somebody; the code of the refusal, or "ok".
    std::string as(const Who& who, const std::function<void(GuardedWriter&)>& body) {
        try {
            registry_->write(author(who), [&](Writer& writer) {
                GuardedWriter guarded(writer, caller_of(writer, who));
                body(guarded);
            });
        } catch (const Refusal& refusal) {
            last = refusal;
            return refusal.code;
        }
        return "ok";
    }
    // Makes a token and returns its id.
    std::string made(const Who& who, const PlaceName& name, const TokenFields& token) {
        std::string id;
        const std::string code = as(who, [&](GuardedWriter& guarded) {
            id = guarded.create_token(name, token, digester).view.token.id;
        });
        check_equal(code, "ok", "creating {}", token.name);
        return id;
    }
    Token token(const std::string& id) {
        Token found;
        registry_->read([&](Reader& reader) { found = reader.token(id)->token; });
        return found;
    }
    std::size_t count_tokens() {
        std::size_t count = 0;
        registry_->read([&](Reader& reader) { count = reader.count_tokens({}); });
        return count;
    }
    // Every change has a row in the audit trail.
    std::size_t count_changes() {
        std::size_t count = 0;
        registry_->read(
            [&](Reader& reader) { reader.audit({}, [&](const AuditRow&) { ++count; }); });
        return count;
    }
    void write(const std::function<void(Writer&)>& body) {
        registry_->write(author(tokenctl), body);
    }

    std::int64_t clock = now;
    Refusal last{"", ""};

  private:
    Author author(const Who& who) const {
        Author author;
        author.name = who.id.empty() ? "root" : who.id;
        author.now = clock;
        return author;
    }

    Directory directory_;
    std::unique_ptr<Registry> registry_;
};

World::World() {
    create_registry(parse_location(directory_.url()));
    registry_ = std::make_unique<Registry>(directory_.url(), Access::write);
    write([](Writer& writer) {
        const std::vector<Role> roles = {
            {"sysadmin", {"auth:system"}},
            {"owner", {"*", "auth:*"}},
            {"admin", {"agents:*", "auth:groups:write", "auth:members:write", "auth:tokens:write"}},
            {"keeper", {"agents:read", "auth:tokens:write"}},
            {"reader", {"agents:read"}},
            {"rotator", {"agents:read", "auth:rotate"}},
        };
        for (const Role& role : roles) {
            writer.put(role);
        }
        Organization system{"sys"};
        system.system = true;
        writer.put(system);
        writer.put(Organization{"acme"});
        writer.put(Organization{"globex"});
        writer.put(Group{"acme", "ops"});
        writer.put(Group{"acme", "dev"});
        for (const char* const name : {"root", "olga", "adam", "tom", "rita", "sue"}) {
            writer.put(User{name});
        }
        const std::vector<registry::Membership> memberships = {
            {"root", "sys", "sysadmin"}, {"olga", "acme", "owner"},
            {"adam", "acme", "admin"},   {"tom", "acme", "keeper", 0, "ops"},
            {"rita", "acme", "reader"},  {"rita", "acme", "owner", 0, "ops"},
            {"sue", "globex", "owner"},
        };
        for (const registry::Membership& membership : memberships) {
            writer.put(membership);
        }
        writer.put(ScopeEntry{"agents:read", "Read agents"});
        writer.put(ScopeEntry{"calls:read", "Read calls"});
    });
}

void tokens_of_a_place() {
    World world;
    const std::string reader = world.made(person("adam"), {"acme", ""}, named("a", "reader"));
    const std::string strong = world.made(person("olga"), {"acme", ""}, named("b", "owner"));
    const std::string ops = world.made(person("tom"), {"acme", "ops"}, named("c", "reader"));
    check_equal(world.token(ops).group, "ops", "its group");
    check_equal(world.token(reader).created_via, "tokenctl", "its author's");

    const std::size_t before = world.count_tokens();
    const auto create = [&](const Who& who, const PlaceName& name, const TokenFields& token) {
        return world.as(who, [&](GuardedWriter& g) { g.create_token(name, token, digester); });
    };
    check_equal(create(person("adam"), {"acme", ""}, named("x", "owner")), "grant_exceeds", "more");
    check_equal(join_words(world.last.scopes), "* auth:*", "which");
    check_equal(create(person("tom"), {"acme", ""}, named("x", "reader")), "scope_missing",
                "where");
    check_equal(world.last.scope, "auth:tokens:write", "which scope");
    check_equal(create(person("tom"), {"acme", "dev"}, named("x", "reader")), "not_found", "group");
    check_equal(create(person("sue"), {"acme", ""}, named("x", "reader")), "not_found", "foreign");
    check_equal(create(person("sue"), {"nowhere", ""}, named("x", "reader")), "not_found", "none");
    check_equal(create(person("olga"), {"acme", ""}, named("", "gone")), "fields_invalid",
                "fields");
    check_equal(world.last.errors.size(), std::size_t{2}, "all of them");
    check_equal(world.count_tokens(), before, "refused: nothing is there");

    TokenChange change;
    change.description = "new";
    const auto change_as = [&](const Who& who, const std::string& id) {
        return world.as(who, [&](GuardedWriter& g) { g.change_token(id, change); });
    };
    check_equal(change_as(person("adam"), reader), "ok", "changed");
    check_equal(world.token(reader).description, "new", "as it results");
    check_equal(change_as(person("adam"), strong), "grant_exceeds", "as it was");
    check_equal(change_as(person("sue"), reader), "not_found", "foreign");
    check_equal(change_as(person("sue"), "nothing"), "not_found", "none");

    const auto revoke = [&](GuardedWriter& g) { g.revoke_token(strong); };
    const auto restore = [&](GuardedWriter& g) { g.restore_token(strong); };
    check_equal(world.as(person("adam"), revoke), "ok", "revoked by less");
    check_equal(world.as(person("adam"), restore), "grant_exceeds", "not restored");
    check_equal(world.as(person("olga"), restore), "ok", "restored");
    check_equal(world.as(person("adam"), [&](GuardedWriter& g) { g.delete_token(strong); }),
                "grant_exceeds", "not deleted");
    check_equal(world.as(person("tom"), [&](GuardedWriter& g) { g.delete_token(ops); }), "ok",
                "deleted in the group");
}

void rotation() {
    World world;
    const std::string rotator = world.made(person("olga"), {"acme", ""}, named("r", "rotator"));
    world.clock += 1000;
    std::string successor;
    const auto rotate = [&](GuardedWriter& g) {
        successor = g.rotate_token(rotator, {}, digester).successor.id;
    };
    check_equal(world.as(by(rotator),
                         [&](GuardedWriter& g) {
                             Rotation named_expiry;
                             named_expiry.expires = 0;
                             g.rotate_token(rotator, named_expiry, digester);
                         }),
                "fields_invalid", "an expiry of its own");
    check_equal(world.as(by(rotator), rotate), "ok", "itself");
    check_equal(world.token(successor).expires, world.clock + 86400, "as long as it was made to");
    check_equal(world.token(successor).role, "rotator", "as it was");
    check_equal(world.token(rotator).successor, successor, "linked");
    check_equal(world.as(by(rotator), rotate), "not_rotatable", "once");
    check_equal(world.last.successor, world.token(rotator).successor, "by which");
    TokenChange longer;
    longer.expires = 0;
    check_equal(
        world.as(person("olga"), [&](GuardedWriter& g) { g.change_token(rotator, longer); }),
        "token_final", "not moved on");
    check_equal(world.as(person("olga"), [&](GuardedWriter& g) { g.delete_token(successor); }),
                "ok", "the successor goes");
    check_equal(
        world.as(person("olga"), [&](GuardedWriter& g) { g.change_token(rotator, longer); }),
        "token_final", "nor then");
    world.clock += 2 * 86400;
    check_equal(world.as(person("olga"), rotate), "not_rotatable", "what expired");
}

void personal_tokens() {
    World world;
    std::string pat;
    check_equal(
        world.as(person("adam"),
                 [&](GuardedWriter& g) {
                     const TokenFields token = named("p", "", {"agents:read", "auth:tokens:write"});
                     pat = g.create_token({}, token, digester).view.token.id;
                 }),
        "ok", "made");
    check_equal(world.token(pat).user, "adam", "its owner's");
    check_equal(world.token(pat).role, "", "without a role");
    const auto create = [](const std::string& role) {
        return [role](GuardedWriter& g) {
            g.create_token({"acme", ""}, named("x", role), digester);
        };
    };
    check_equal(world.as(by(pat), create("reader")), "ok", "by its list");
    check_equal(world.as(by(pat), create("keeper")), "grant_exceeds", "nothing administrative");
    check_equal(world.as(by(pat),
                         [](GuardedWriter& g) {
                             g.add_group({"acme", "new"});
                         }),
                "scope_missing", "nothing else");
    check_equal(world.as(person("olga"), [&](GuardedWriter& g) { g.token(pat); }), "not_found",
                "nobody else's");
    check_equal(world.as(person("root"), [&](GuardedWriter& g) { g.revoke_token(pat); }), "ok",
                "but the system's to revoke");
    check_equal(world.as(tokenctl, [&](GuardedWriter& g) { g.restore_token(pat); }), "ok",
                "tokenctl does all");
    const auto introspect = [&](const std::string& organization) {
        return [&, organization](GuardedWriter& g) { g.introspected(pat, organization); };
    };
    const std::string service = world.made(person("olga"), {"acme", ""}, named("s", "keeper"));
    check_equal(world.as(by(service), introspect("acme")), "ok", "of a member");
    check_equal(world.as(by(service), introspect("globex")), "not_found", "elsewhere");
    check_equal(world.as(by(service), introspect("")), "not_found", "nowhere");
}

void members_and_groups() {
    World world;
    const auto put = [](const PlaceName& name, const std::string& user, const std::string& role) {
        return [=](GuardedWriter& g) { g.put_member(name, user, role); };
    };
    const auto remove = [](const PlaceName& name, const std::string& user) {
        return [=](GuardedWriter& g) { g.remove_member(name, user); };
    };
    check_equal(world.as(person("adam"), put({"acme", ""}, "sue", "reader")), "ok", "added");
    check_equal(world.as(person("adam"), put({"acme", ""}, "sue", "owner")), "grant_exceeds",
                "more");
    check_equal(world.as(person("adam"), put({"acme", ""}, "olga", "reader")), "grant_exceeds",
                "less than it was");
    check_equal(world.as(person("adam"), put({"acme", ""}, "nobody", "reader")), "not_found",
                "no such person");
    check_equal(world.as(person("adam"), remove({"acme", ""}, "rita")), "grant_exceeds",
                "what she is in a group");
    check_equal(world.as(person("adam"), remove({"acme", ""}, "sue")), "ok", "removed");
    check_equal(world.as(person("rita"), remove({"acme", ""}, "rita")), "ok",
                "everybody may leave");
    check_equal(world.as(person("rita"), [](GuardedWriter& g) { g.organization("acme"); }),
                "not_found", "and its groups");

    check_equal(world.as(person("adam"),
                         [](GuardedWriter& g) {
                             g.add_group({"acme", "new"});
                         }),
                "ok", "a group");
    check_equal(world.as(person("adam"),
                         [](GuardedWriter& g) {
                             g.add_group({"acme", "new"});
                         }),
                "exists", "once");
    world.made(person("olga"), {"acme", "new"}, named("n", "owner"));
    const auto remove_group = [](bool with_tokens) {
        return [=](GuardedWriter& g) { g.remove_group({"acme", "new"}, with_tokens); };
    };
    check_equal(world.as(person("adam"), remove_group(true)), "grant_exceeds",
                "with what is in it");
    check_equal(world.as(person("olga"), remove_group(false)), "not_empty", "unless on purpose");
    check_equal(world.as(person("olga"), remove_group(true)), "ok", "removed");
}

void organizations() {
    World world;
    const std::string id = world.made(person("sue"), {"globex", ""}, named("g", "keeper"));
    const auto suspend = [](const std::string& name, bool suspended) {
        return [=](GuardedWriter& g) { g.suspend_organization(name, suspended); };
    };
    check_equal(world.as(person("sue"), suspend("globex", true)), "scope_missing", "the system's");
    check_equal(world.as(person("root"), suspend("globex", true)), "ok", "suspended");
    check_equal(world.as(person("root"), suspend("sys", true)), "system_organization",
                "not itself");
    check_equal(world.as(by(id), [&](GuardedWriter& g) { g.token(id); }), "organization_suspended",
                "as at the gateway");
    check_equal(world.as(person("sue"), [&](GuardedWriter& g) { g.revoke_token(id); }), "ok",
                "sessions revoke");
    check_equal(world.as(person("sue"), [&](GuardedWriter& g) { g.restore_token(id); }),
                "organization_suspended", "not restore");
    check_equal(world.as(person("root"), suspend("globex", false)), "ok", "resumed");
    const auto remove = [](bool with_tokens) {
        return [=](GuardedWriter& g) { g.remove_organization("globex", with_tokens); };
    };
    check_equal(world.as(person("root"), remove(false)), "not_empty", "unless on purpose");
    check_equal(world.as(person("root"), remove(true)), "ok", "removed");
    check_equal(world.as(person("sue"), [](GuardedWriter& g) { g.organization("globex"); }),
                "not_found", "gone");
}

void policies() {
    World world;
    const std::string old = world.made(person("olga"), {"acme", ""}, named("old", "reader"));
    world.write([](Writer& writer) {
        Organization acme = *writer.organization("acme");
        acme.policy.max_life = 86400 * 10;
        acme.policy.default_life = 3600;
        acme.policy.require_allow = true;
        acme.policy.max_tokens = 2;
        writer.put(acme);
    });
    TokenFields fields = named("new", "reader");
    const auto create = [&](GuardedWriter& g) { g.create_token({"acme", ""}, fields, digester); };
    fields.expires = 0;
    check_equal(world.as(person("olga"), create), "fields_invalid", "never expires, from anywhere");
    check_equal(world.last.errors.size(), std::size_t{2}, "all at once");
    check_equal(world.last.errors[0].rule, "max_life", "the first rule");
    check_equal(world.last.errors[1].rule, "require_allow", "the second rule");
    fields.expires.reset();
    fields.allow = {"192.0.2.0/24"};
    const std::string made = world.made(person("olga"), {"acme", ""}, fields);
    check_equal(world.token(made).expires, now + 3600, "the default life");
    check_equal(world.as(person("olga"), create), "limit_reached", "one too many");
    check_equal(world.last.errors[0].rule, "max_tokens", "by that rule");
    const auto restore = [&](GuardedWriter& g) { g.restore_token(old); };
    check_equal(world.as(person("olga"), [&](GuardedWriter& g) { g.revoke_token(old); }), "ok", "");
    world.made(person("olga"), {"acme", ""}, fields);
    check_equal(world.as(person("olga"), restore), "limit_reached", "restored ones count, too");
    TokenChange change;
    change.description = "of a time without rules";
    check_equal(world.as(person("olga"), [&](GuardedWriter& g) { g.change_token(old, change); }),
                "ok", "a change keeps to it in the fields that it names");
}

struct Operation {
    const char* name;
    std::function<void(GuardedWriter&)> run;
};

// All that somebody may do with tokens, members, groups and organizations.
std::vector<Operation> operations_in(const std::string& token, const std::string& personal) {
    const PlaceName acme{"acme", ""};
    const PlaceName ops{"acme", "ops"};
    const PlaceName added{"acme", "new"};
    return {
        {"see the organization", [](GuardedWriter& g) { g.organization("acme"); }},
        {"list groups", [](GuardedWriter& g) { g.groups("acme", [](const Group&) {}); }},
        {"see a group", [=](GuardedWriter& g) { g.group(ops); }},
        {"add a group", [=](GuardedWriter& g) { g.add_group(added); }},
        {"remove a group", [=](GuardedWriter& g) { g.remove_group(ops, true); }},
        {"list tokens", [=](GuardedWriter& g) { g.require(Action::list_tokens, acme); }},
        {"list a group's tokens", [=](GuardedWriter& g) { g.require(Action::list_tokens, ops); }},
        {"see grants", [=](GuardedWriter& g) { g.grants(acme); }},
        {"list members", [=](GuardedWriter& g) { g.require(Action::list_members, acme); }},
        {"see a member", [=](GuardedWriter& g) { g.member(acme, "rita"); }},
        {"read the trail", [=](GuardedWriter& g) { g.require(Action::read_audit, acme); }},
        {"create", [=](GuardedWriter& g) { g.create_token(acme, named("x", ""), digester); }},
        {"create in a group",
         [=](GuardedWriter& g) { g.create_token(ops, named("x", ""), digester); }},
        {"put a member", [=](GuardedWriter& g) { g.put_member(acme, "sue", "reader"); }},
        {"remove a member", [=](GuardedWriter& g) { g.remove_member(acme, "rita"); }},
        {"remove a group's", [=](GuardedWriter& g) { g.remove_member(ops, "tom"); }},
        {"see", [=](GuardedWriter& g) { g.token(token); }},
        {"introspect", [=](GuardedWriter& g) { g.introspected(token, "acme"); }},
        {"change", [=](GuardedWriter& g) { g.change_token(token, {}); }},
        {"revoke", [=](GuardedWriter& g) { g.revoke_token(token); }},
        {"restore", [=](GuardedWriter& g) { g.restore_token(token); }},
        {"rotate", [=](GuardedWriter& g) { g.rotate_token(token, {}, digester); }},
        {"delete", [=](GuardedWriter& g) { g.delete_token(token); }},
        {"see a personal one", [=](GuardedWriter& g) { g.token(personal); }},
        {"introspect it", [=](GuardedWriter& g) { g.introspected(personal, "acme"); }},
        {"change it", [=](GuardedWriter& g) { g.change_token(personal, {}); }},
        {"revoke it", [=](GuardedWriter& g) { g.revoke_token(personal); }},
        {"restore it", [=](GuardedWriter& g) { g.restore_token(personal); }},
        {"rotate it", [=](GuardedWriter& g) { g.rotate_token(personal, {}, digester); }},
        {"delete it", [=](GuardedWriter& g) { g.delete_token(personal); }},
        {"suspend", [](GuardedWriter& g) { g.suspend_organization("acme", true); }},
        {"remove", [](GuardedWriter& g) { g.remove_organization("acme", true); }},
    };
}

// Whoever is of another organization finds nothing, and changes nothing.
void strangers() {
    World world;
    const std::string token = world.made(person("olga"), {"acme", ""}, named("a", "reader"));
    const std::string foreign = world.made(person("sue"), {"globex", ""}, named("f", "owner"));
    const auto personal = [&](const std::string& owner) {
        std::string id;
        world.as(person(owner), [&](GuardedWriter& g) {
            const TokenFields made = named("p", "", {"*", "auth:*", "auth:system"});
            id = g.create_token({}, made, digester).view.token.id;
        });
        return id;
    };
    const std::string of_rita = personal("rita");
    const std::string of_sue = personal("sue");
    const std::string of_adam = personal("adam");
    const std::vector<Who> callers = {person("sue"), by(foreign), by(of_sue), person("nobody")};
    const std::size_t before = world.count_changes();
    for (const Who& who : callers) {
        for (const Operation& operation : operations_in(token, of_rita)) {
            check_equal(world.as(who, operation.run), "not_found", "{} by {}", operation.name,
                        who.id);
        }
    }
    // One's own organization, suspended: its tokens are refused, and so are personal ones in it.
    world.write([](Writer& writer) { writer.set_suspended("acme", true); });
    const std::string told[] = {"organization_suspended", "not_found"};
    for (const Operation& operation : operations_in(token, of_rita)) {
        const std::string code = world.as(by(of_adam), operation.run);
        check(code == told[0] || code == told[1], "{} while suspended: {}", operation.name, code);
        check_equal(world.as(by(token), operation.run), told[0], "{} by its token", operation.name);
    }
    check_equal(world.count_changes(), before + 1, "changes but for the suspension");
}

void what_one_is_told() {
    World world;
    check_equal(world.as(person("rita"),
                         [](GuardedWriter& g) {
                             std::string seen;
                             g.groups("acme", [&](const Group& group) { seen += group.id + " "; });
                             check_equal(seen, "ops ", "groups that one sees");
                         }),
                "ok", "groups");
    check_equal(world.as(person("adam"),
                         [](GuardedWriter& g) {
                             const Grants grants = g.grants({"acme", ""});
                             std::string roles;
                             for (const OfferedRole& each : grants.roles) {
                                 roles += each.role.id + (each.administrative ? "! " : " ");
                             }
                             check_equal(roles, "admin! keeper! reader ", "roles");
                             check_equal(grants.scopes.size(), std::size_t{1}, "scopes");
                         }),
                "ok", "grants");
    check_equal(world.as(person("rita"),
                         [](GuardedWriter& g) {
                             g.grants({"acme", ""});
                         }),
                "scope_missing", "nothing to give");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(tokens_of_a_place),  UNIT_TEST(rotation),         UNIT_TEST(personal_tokens),
        UNIT_TEST(members_and_groups), UNIT_TEST(organizations),    UNIT_TEST(policies),
        UNIT_TEST(strangers),          UNIT_TEST(what_one_is_told),
    };
    return cmocka_run_group_tests_name("guarded", tests, nullptr, nullptr);
}
