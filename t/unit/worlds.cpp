#include "worlds.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ostream>
#include <utility>

namespace token_auth::unit {

const std::vector<std::string> all_scopes = {
    "agents:read",      "agents:write", "agents:*", "agents:read:all",     "agents:",     "agents",
    "calls:read",       "calls:*",      "*",        "agents:read:*",       "Agents:read", "!",
    "auth:tokens:read", "auth:*",       "auth",     std::string(128, 'x'),
};

namespace {

constexpr std::int64_t start = 1'700'000'000;

const std::vector<std::string> organizations = {
    "acme", "Acme", "globex", "initech", std::string(64, 'o'), "o.-_",
};
const std::vector<std::string> people = {
    "ann", "bob", "cid", "dot", "eve", std::string(64, 'u'),
};
const std::vector<std::string> groups = {"admins", "Admins", "ops"};
const std::vector<std::string> roles = {"admin", "viewer", "empty", "gone", "all"};
const std::vector<std::string> malformed = {
    "acme/ops", " acme", "acme ", " ", std::string(65, 'o'), std::string("acme\0", 5),
    "\xc3\xa4", "a,b",
};
const std::vector<std::string> clients = {
    "192.0.2.1",   "192.0.2.255", "192.0.3.0", "10.1.2.3",
    "2001:db8::1", "2001:db9::",  "::1",       "::ffff:192.0.2.1",
};
const std::vector<std::string> blocks = {
    "192.0.2.0/24", "192.0.2.1", "10.0.0.0/8",     "0.0.0.0/0",     "2001:db8::/32",
    "::/0",         "::1/128",   "192.0.2.128/25", "2001:db8::/31",
};

std::set<std::string> draw_scopes(Draw& draw, std::size_t most) {
    std::set<std::string> scopes;
    const std::size_t count = draw.below(most + 1);
    for (std::size_t i = 0; i < count; ++i) {
        scopes.insert(draw.of(all_scopes));
    }
    return scopes;
}

ModelToken draw_token(Draw& draw, std::size_t number) {
    ModelToken token;
    token.id = fmt::format("T{}", number);
    token.kind = draw.of(std::vector<std::string>{"organization", "group", "user"});
    if (token.kind == "user") {
        token.user = draw.of(people);
    } else {
        token.user = fmt::format("technical-{}", number);
        token.user_disabled = draw.chance(4);
        token.organization = draw.of(organizations);
        token.group = token.kind == "group" ? draw.of(groups) : "";
    }
    // A user token's own role has no effect, but a store may hold one.
    if (draw.chance(token.kind == "user" ? 20 : 70)) {
        token.role = draw.of(roles);
    }
    if (draw.chance(55)) {
        token.scopes = draw_scopes(draw, 4);
    }
    if (draw.chance(25)) {
        for (std::size_t i = draw.below(3) + 1; i > 0; --i) {
            token.allow.push_back(draw.of(blocks));
        }
    }
    if (draw.chance(25)) {
        token.not_before = start + static_cast<std::int64_t>(draw.below(1000));
    }
    if (draw.chance(40)) {
        token.expires = start + static_cast<std::int64_t>(500 + draw.below(1000));
    }
    token.revoked = draw.chance(4);
    token.key = draw.chance(30) ? "key" : "";
    return token;
}

std::int64_t draw_time(Draw& draw, const ModelToken& token) {
    const std::int64_t around = static_cast<std::int64_t>(draw.below(3)) - 1;
    if (token.not_before != 0 && draw.chance(25)) {
        return token.not_before + around;
    }
    if (token.expires != 0 && draw.chance(25)) {
        return token.expires + around;
    }
    return start + static_cast<std::int64_t>(draw.below(1500));
}

std::string draw_organization(Draw& draw, const World& world, const ModelToken& token) {
    if (draw.chance(6)) {
        return draw.of(malformed);
    }
    if (token.kind != "user") {
        return draw.chance(60) ? "" : draw.chance(60) ? token.organization : draw.of(organizations);
    }
    if (draw.chance(15)) {
        return "";
    }
    // Mostly one that the user is a member of: otherwise the later checks never run.
    std::vector<std::string> joined;
    for (const auto& [pair, role] : world.memberships) {
        if (pair.first == token.user) {
            joined.push_back(pair.second);
        }
    }
    return joined.empty() || draw.chance(10) ? draw.of(organizations) : draw.of(joined);
}

// Values of words; some are empty, some hold several words.
std::vector<std::string> draw_words(Draw& draw, const std::vector<std::string>& words,
                                    std::size_t most) {
    std::vector<std::string> values;
    for (std::size_t i = draw.below(most + 1); i > 0; --i) {
        std::string value;
        for (std::size_t count = draw.below(4); count > 0; --count) {
            value += draw.chance(15) ? "  " : value.empty() ? "" : " ";
            value += draw.of(words);
        }
        value += draw.chance(10) ? " " : "";
        values.push_back(value);
    }
    return values;
}

}  // namespace

World draw_world(Draw& draw, std::size_t tokens) {
    World world;
    for (const std::string& user : people) {
        if (draw.chance(85)) {
            world.users[user] = draw.chance(10);
        }
    }
    for (const std::string& organization : organizations) {
        if (draw.chance(85)) {
            world.organizations[organization] = draw.chance(15);
        }
    }
    for (const std::string& role : roles) {
        if (role == "empty") {
            world.roles[role] = {};
        } else if (role == "all") {
            world.roles[role] = {"*"};
        } else if (role != "gone") {
            world.roles[role] = draw_scopes(draw, 5);
        }
    }
    // Also memberships whose user, organization or role is gone.
    for (const std::string& user : people) {
        for (const std::string& organization : organizations) {
            if (draw.chance(60)) {
                world.memberships[{user, organization}] = draw.of(roles);
            }
        }
    }
    for (std::size_t i = 0; i < tokens; ++i) {
        const ModelToken token = draw_token(draw, i);
        world.tokens[fmt::format("ak_{}.secret", token.id)] = token;
    }
    return world;
}

Request draw_request(Draw& draw, const World& world, const std::vector<std::string>& tokens) {
    Request request;
    request.token = draw.chance(4) ? "ak_T1.Secret" : draw.of(tokens);
    const auto found = world.tokens.find(request.token);
    const ModelToken token = found == world.tokens.end() ? ModelToken() : found->second;

    request.mode = draw.of(std::vector<std::string>{"required", "required", "optional", "off"});
    request.organization = draw_organization(draw, world, token);
    request.now = draw_time(draw, token);
    request.client = draw.chance(5) ? "" : draw.of(clients);
    if (draw.chance(20)) {
        for (const char* kind : {"organization", "group", "user"}) {
            if (draw.chance(40)) {
                request.kinds.erase(kind);
            }
        }
    }
    if (draw.chance(15)) {
        std::vector<std::string> wanted = groups;
        for (const std::string& group : groups) {
            wanted.push_back(draw.of(organizations) + "/" + group);
        }
        if (!token.group.empty()) {
            wanted.push_back(token.group);
            wanted.push_back(token.organization + "/" + token.group);
        }
        wanted.insert(wanted.end(), {"/", "/" + token.group, token.organization + "/", "a/b/c"});
        request.groups = draw_words(draw, wanted, 3);
    }
    if (draw.chance(30)) {
        request.roles = draw_words(draw, roles, 3);
    }
    if (draw.chance(50)) {
        request.scopes = draw_words(draw, all_scopes, 2);
    }
    if (draw.chance(30)) {
        request.scopes_any = draw_words(draw, all_scopes, 3);
    }
    return request;
}

std::vector<Request> simpler(const Request& request) {
    std::vector<Request> all;
    const auto without = [&](auto change) {
        Request next = request;
        change(next);
        all.push_back(std::move(next));
    };
    for (const auto list :
         {&Request::groups, &Request::roles, &Request::scopes, &Request::scopes_any}) {
        for (std::size_t i = 0; i < (request.*list).size(); ++i) {
            without([&](Request& next) {
                (next.*list).erase((next.*list).begin() + static_cast<std::ptrdiff_t>(i));
            });
        }
    }
    if (request.kinds.size() != Request().kinds.size()) {
        without([](Request& next) { next.kinds = Request().kinds; });
    }
    if (!request.organization.empty()) {
        without([](Request& next) { next.organization.clear(); });
    }
    return all;
}

std::ostream& operator<<(std::ostream& out, const Request& request) {
    return out << fmt::format(
               "token {:?}, now {}, client {:?}, organization {:?} ({}), kinds {}, groups {}, "
               "roles {}, scopes {}, scopes_any {}",
               request.token, request.now, request.client, request.organization, request.mode,
               request.kinds, request.groups, request.roles, request.scopes, request.scopes_any);
}

std::string description(const World& world, const std::string& presented) {
    const auto found = world.tokens.find(presented);
    if (found == world.tokens.end()) {
        return "no such token";
    }
    const ModelToken& token = found->second;
    return fmt::format(
        "token {}: {}, user {:?}{}, organization {:?}, group {:?}, role {:?}, scopes {}, allow {}, "
        "not before {}, expires {}{}\nusers (disabled) {}\norganizations (suspended) {}\n"
        "memberships {}\nroles {}",
        token.id, token.kind, token.user, token.user_disabled ? " (disabled)" : "",
        token.organization, token.group, token.role, token.scopes, token.allow, token.not_before,
        token.expires, token.revoked ? ", revoked" : "", world.users, world.organizations,
        world.memberships, world.roles);
}

}  // namespace token_auth::unit
