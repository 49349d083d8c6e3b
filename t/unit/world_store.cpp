#include "world_store.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

namespace token_auth::unit {
namespace {

std::string joined(const std::set<std::string>& words) {
    std::string all;
    for (const std::string& word : words) {
        all += (all.empty() ? "" : " ") + word;
    }
    return all;
}

std::set<std::string> split(std::string_view text) {
    std::set<std::string> words;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) {
            words.emplace(text.substr(at, end - at));
        }
        at = end + 1;
    }
    return words;
}

Kind kind_of(const std::string& name) {
    Kind kind = kind_organization;
    if (!kind_of_name(name, kind)) {
        throw std::runtime_error("kind_of_name() refused " + name);
    }
    return kind;
}

// A block of an allow-list as text; an address of nobody if no client is in it.
std::string block_text(std::string_view block) {
    constexpr const char* nobody = "255.255.255.255/32";
    const auto family = static_cast<unsigned char>(block[0]);
    const auto bits = static_cast<unsigned char>(block[1]);
    if ((family != 4 && family != 6) || bits > (family == 4 ? 32 : 128)) {
        return nobody;
    }
    unsigned char bytes[16];
    block.substr(2).copy(reinterpret_cast<char*>(bytes), sizeof(bytes));
    for (unsigned bit = bits; bit < 128; ++bit) {
        bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] & ~(0x80U >> bit % 8));
    }
    // A mapped client is an IPv4 one: as IPv6 it has no address.
    if (family == 6 && IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(bytes))) {
        return nobody;
    }
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
    return fmt::format("{}/{}", text, bits);
}

ModelToken model_of(const TokenRecord& record, const std::string& key) {
    ModelToken token;
    token.kind = std::string(kind_name(record.kind));
    token.id = std::string(record.id);
    token.user = std::string(record.subject);
    token.user_disabled = record.subject_disabled;
    token.organization = std::string(record.organization);
    token.group = std::string(record.group);
    token.role = std::string(record.role);
    token.scopes = split(record.scopes);
    if (token.scopes.empty() && !record.scopes.empty()) {
        token.scopes.insert(" ");  // set, but without a word: limits to nothing
    }
    for (std::size_t at = 0; at < record.allow.size(); at += cidr_size) {
        token.allow.push_back(block_text(record.allow.substr(at, cidr_size)));
    }
    token.not_before = record.not_before;
    token.expires = record.expires;
    token.revoked = record.revoked;
    token.key = key;
    return token;
}

void take_token(const Entry& entry, const std::map<std::string, std::string>& presented,
                const World& original, Digester& digester, World& world, std::size_t& damaged) {
    TokenRecord record;
    if (!decode(entry.value, record)) {
        ++damaged;
        return;
    }
    const std::string& token = presented.at(entry.key);
    const std::string& key = original.tokens.at(token).key;
    // Stored under another key's digest, it is not this token's.
    if (record.key_id == (key.empty() ? no_key : digester.key_id(0))) {
        world.tokens[token] = model_of(record, key);
    }
}

}  // namespace

Digest digest_under(Digester& digester, const std::string& presented, const ModelToken& token) {
    Digest digest;
    if (!(token.key.empty() ? digester.plain(presented, digest)
                            : digester.keyed(0, presented, digest))) {
        throw std::runtime_error("libcrypto gives no digest");
    }
    return digest;
}

std::vector<Entry> entries_of(const World& world, Digester& digester, std::uint64_t generation) {
    std::vector<Entry> entries = {meta_entry(generation, {{no_key, 1}, {digester.key_id(0), 1}})};
    for (const auto& [id, disabled] : world.users) {
        entries.push_back(user_entry(id, disabled));
    }
    for (const auto& [id, suspended] : world.organizations) {
        entries.push_back(organization_entry(id, suspended));
    }
    for (const auto& [pair, role] : world.memberships) {
        entries.push_back(membership_entry(pair.first, pair.second, role));
    }
    for (const auto& [id, scopes] : world.roles) {
        entries.push_back(role_entry(id, joined(scopes)));
    }
    for (const auto& [presented, token] : world.tokens) {
        TokenRecord record;
        std::string allow;
        for (const std::string& text : token.allow) {
            Cidr block;
            if (!parse_cidr(text, block)) {
                throw std::runtime_error("parse_cidr() refused " + text);
            }
            allow.append(reinterpret_cast<const char*>(block.data()), block.size());
        }
        const std::string scopes = joined(token.scopes);
        record.kind = kind_of(token.kind);
        record.revoked = token.revoked;
        record.subject_disabled = token.user_disabled;
        record.key_id = token.key.empty() ? no_key : digester.key_id(0);
        record.not_before = token.not_before;
        record.expires = token.expires;
        record.id = token.id;
        record.subject = token.user;
        record.organization = token.organization;
        record.group = token.group;
        record.role = token.role;
        record.name = "a token";
        record.scopes = scopes;
        record.allow = allow;
        entries.push_back(token_entry(digest_under(digester, presented, token), record));
    }
    return entries;
}

World world_of(const std::vector<Entry>& entries, const World& original, Digester& digester,
               std::size_t& damaged) {
    World world;
    std::map<std::string, std::string> presented;
    for (const auto& [token, model] : original.tokens) {
        KeyBuffer buffer;
        presented[std::string(token_key(digest_under(digester, token, model), buffer))] = token;
    }
    damaged = 0;
    for (const Entry& entry : entries) {
        const std::string name = entry.key.substr(1);
        UserRecord user;
        OrganizationRecord organization;
        MembershipRecord membership;
        RoleRecord role;
        switch (entry.key[0]) {
            case 't':
                take_token(entry, presented, original, digester, world, damaged);
                break;
            case 'u':
                decode(entry.value, user) ? void(world.users[name] = user.disabled)
                                          : void(++damaged);
                break;
            case 'o':
                decode(entry.value, organization)
                    ? void(world.organizations[name] = organization.suspended)
                    : void(++damaged);
                break;
            case 'r':
                decode(entry.value, role) ? void(world.roles[name] = split(role.scopes))
                                          : void(++damaged);
                break;
            case 'm': {
                const std::size_t end = name.find('\0');
                decode(entry.value, membership)
                    ? void(world.memberships[{name.substr(0, end), name.substr(end + 1)}] =
                               std::string(membership.role))
                    : void(++damaged);
                break;
            }
            default:
                break;
        }
    }
    return world;
}

std::string mutated(Draw& draw, std::string value) {
    for (std::size_t count = draw.below(3) + 1; count > 0 && !value.empty(); --count) {
        const std::size_t at = draw.below(value.size());
        switch (draw.below(4)) {
            case 0:
                value[at] = static_cast<char>(draw.below(256));
                break;
            case 1:
                value[at] =
                    static_cast<char>(static_cast<unsigned char>(value[at]) ^ 1U << draw.below(8));
                break;
            case 2:
                value.erase(at, draw.below(value.size() - at) + 1);
                break;
            default: {
                std::string bytes(draw.below(8) + 1, '\0');
                for (char& byte : bytes) {
                    byte = static_cast<char>(draw.below(256));
                }
                value.insert(at, bytes);
            }
        }
    }
    return value;
}

void mutate(Draw& draw, std::vector<Entry>& entries, std::size_t count) {
    for (; count > 0; --count) {
        Entry& entry = entries[1 + draw.below(entries.size() - 1)];
        const std::string value = mutated(draw, entry.value);
        if (!value.empty()) {  // which would be no record at all
            entry.value = value;
        }
    }
}

Asked::Asked(const Request& request)
    : groups_(request.groups.begin(), request.groups.end()),
      roles_(request.roles.begin(), request.roles.end()),
      scopes_(request.scopes.begin(), request.scopes.end()),
      scopes_any_(request.scopes_any.begin(), request.scopes_any.end()) {
    requirements_.kinds = 0;
    for (const std::string& name : request.kinds) {
        requirements_.kinds |= kind_of(name);
    }
    requirements_.organization_mode = request.mode == "required"   ? OrganizationMode::required
                                      : request.mode == "optional" ? OrganizationMode::optional
                                                                   : OrganizationMode::off;
    requirements_.organization = request.organization;
    requirements_.groups = {groups_.data(), groups_.size()};
    requirements_.roles = {roles_.data(), roles_.size()};
    requirements_.scopes = {scopes_.data(), scopes_.size()};
    requirements_.scopes_any = {scopes_any_.data(), scopes_any_.size()};
    if (!request.client.empty() && !parse_address(request.client, client_)) {
        throw std::runtime_error("parse_address() refused " + request.client);
    }
}

}  // namespace token_auth::unit
