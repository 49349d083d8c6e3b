#include "registry/callers.hpp"

#include <array>
#include <utility>

#include "base/error.hpp"
#include "registry/validate.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/record.hpp"

namespace token_auth::registry {
namespace {

constexpr std::string_view select_memberships =
    "SELECT m.organization, '', m.role, o.suspended, o.system, o.display_name, r.scopes "
    "FROM memberships m JOIN organizations o ON o.id = m.organization "
    "LEFT JOIN roles r ON r.id = m.role WHERE m.user_id = $1 "
    "UNION ALL "
    "SELECT m.organization, m.group_id, m.role, o.suspended, o.system, o.display_name, r.scopes "
    "FROM group_memberships m JOIN organizations o ON o.id = m.organization "
    "LEFT JOIN roles r ON r.id = m.role WHERE m.user_id = $1 "
    "ORDER BY 1, 2";

void add_memberships(Reader& reader, const std::string& user, Identity& identity) {
    const auto rows = reader.session().query(select_memberships, {user});
    while (rows->next()) {
        rights::Holding holding;
        holding.place = {std::string(rows->text(0)), std::string(rows->text(1)),
                         rows->integer(3) != 0, rows->integer(4) != 0};
        holding.role = split_words(rows->text(6));  // none if there is no such role
        identity.caller.holdings.push_back(std::move(holding));
        identity.memberships.push_back({std::string(rows->text(2)), std::string(rows->text(5))});
    }
}

// The place that an organization's or group's token belongs to.
void add_place(Reader& reader, const Token& token, Identity& identity) {
    const auto organization = reader.organization(token.organization);
    if (!organization) {
        return;
    }
    rights::Holding holding;
    holding.place = {token.organization, token.group, organization->suspended,
                     organization->system};
    if (!token.role.empty()) {
        const auto role = reader.role(token.role);
        holding.role = role ? role->scopes : rights::Scopes();
    }
    identity.caller.holdings.push_back(std::move(holding));
    identity.memberships.push_back({token.role, organization->display_name});
}

}  // namespace

std::optional<TokenView> find_token(Reader& reader, TokenDigester& digester,
                                    std::string_view text) {
    for (const TokenDigest& digest : digester.digests(text)) {
        auto view = reader.token_by_digest(digest.bytes);
        if (view && view->token.digest == digest) {
            return view;
        }
    }
    return std::nullopt;
}

// decide() is asked on a record with what it asks for.
Code decide_on(const TokenView& view, std::int64_t now, const Address& client) {
    const Token& token = view.token;
    std::string allow;
    for (const std::string& block : token.allow) {
        Cidr cidr{};
        if (!parse_cidr(block, cidr)) {
            return Code::token_unknown;  // tokensync leaves it out, too
        }
        allow.append(reinterpret_cast<const char*>(cidr.data()), cidr.size());
    }
    TokenEntry entry;
    entry.kind = token.kind;
    entry.revoked = token.revoked != 0;
    entry.disabled = token.user_disabled;
    entry.expires = token.expires;
    entry.not_before = token.not_before;
    entry.id = token.id;
    entry.organization = token.organization;
    entry.group = token.group;
    entry.subject = token.user;
    entry.allow = allow;
    entry.user_key = token.kind == kind_user ? user_key(token.user) : 0;
    std::array<char, token_entry_max> record;
    const std::size_t size = encode(entry, false, record.data(), record.size());
    Claims claims;
    if (size == 0 || !claims.token.parse({record.data(), size})) {
        return Code::token_unknown;
    }
    claims.known = true;
    claims.organization = token.organization;
    claims.member = true;
    claims.suspended = view.organization_suspended;
    Requirements requirements;
    requirements.organization_mode = OrganizationMode::off;
    const Words* unmet = nullptr;
    return decide(claims, requirements, {}, now, client, unmet);
}

Identity identity_of_person(Reader& reader, const User& person, rights::Via via) {
    Identity identity;
    identity.user = person;
    identity.caller.via = via;
    identity.caller.user = person.id;
    add_memberships(reader, person.id, identity);
    return identity;
}

TokenIdentity identity_of_token(Reader& reader, TokenDigester& digester, std::string_view text,
                                std::int64_t now, const Address& client) {
    const auto view = find_token(reader, digester, text);
    if (!view) {
        return {Code::token_unknown, std::nullopt};
    }
    const Code code = decide_on(*view, now, client);
    if (view->token.kind != kind_user) {
        reader.expect_organization(view->token.organization);
        if (!view->token.role.empty()) {
            reader.expect_role(view->token.role);
        }
    }
    const auto user = reader.user(view->token.user);
    if (code != Code::ok || !user) {
        return {code != Code::ok ? code : Code::token_unknown, std::nullopt};
    }
    const Token& token = view->token;
    Identity identity;
    identity.user = *user;
    identity.caller.via = rights::Via::token;
    identity.caller.user = token.user;
    identity.caller.token = token.id;
    identity.caller.kind = token.kind;
    if (!token.scopes.empty()) {
        identity.caller.own = token.scopes;
    }
    if (token.kind == kind_user) {
        add_memberships(reader, token.user, identity);
    } else {
        add_place(reader, token, identity);
    }
    return {Code::ok, std::move(identity)};
}

Author author_of(const rights::Caller& caller, std::int64_t now, const std::string& address) {
    constexpr const char* names[] = {"session", "token", "auth_token", "tokenctl"};
    return {caller.user, now, names[static_cast<std::size_t>(caller.via)], caller.token, address};
}

}  // namespace token_auth::registry
