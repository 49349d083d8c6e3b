#include "oracle.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace token_auth::unit {
namespace {

std::vector<std::string> words_of(const std::vector<std::string>& values) {
    std::vector<std::string> words;
    for (const std::string& value : values) {
        std::istringstream stream(value);
        std::string word;
        while (std::getline(stream, word, ' ')) {
            if (!word.empty()) {
                words.push_back(word);
            }
        }
    }
    return words;
}

// An empty value requires nothing; a value of spaces requires something that nobody has.
bool blank(const std::vector<std::string>& values) {
    return std::any_of(values.begin(), values.end(), [](const std::string& value) {
        return !value.empty() && value.find_first_not_of(' ') == std::string::npos;
    });
}

bool is_name(const std::string& text) {
    const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return !text.empty() && text.size() <= 64 &&
           text.find_first_not_of(letters) == std::string::npos;
}

bool covers(const std::string& grant, const std::string& scope) {
    if (grant == scope) {
        return true;
    }
    if (grant == "*") {
        return scope.rfind("auth:", 0) != 0;
    }
    const std::size_t colon = grant.rfind(":*");
    return colon != std::string::npos && colon + 2 == grant.size() &&
           scope.compare(0, colon + 1, grant, 0, colon + 1) == 0;
}

bool any_of_them_covers(const std::set<std::string>& grants, const std::string& scope) {
    return std::any_of(grants.begin(), grants.end(),
                       [&](const std::string& grant) { return covers(grant, scope); });
}

bool address_allowed(const ModelToken& token, const std::string& client) {
    if (token.allow.empty()) {
        return true;
    }
    if (client.empty()) {
        return false;
    }
    const Bits address = bits_of(client);
    return std::any_of(token.allow.begin(), token.allow.end(), [&](const std::string& text) {
        const Bits block = bits_of(text);
        return block.family == address.family &&
               address.digits.compare(0, block.digits.size(), block.digits) == 0;
    });
}

std::set<std::string> scopes_of_role(const World& world, const std::string& role) {
    const auto found = world.roles.find(role);
    return found == world.roles.end() ? std::set<std::string>() : found->second;
}

}  // namespace

Bits bits_of(const std::string& text) {
    const std::size_t slash = text.find('/');
    const std::string address = text.substr(0, slash);
    unsigned char bytes[16];
    Bits bits;
    if (inet_pton(AF_INET, address.c_str(), bytes) == 1) {
        bits.family = 4;
    } else if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) {
        bits.family = 6;
    } else {
        throw std::runtime_error("no address: " + text);
    }
    for (int i = 0; i < (bits.family == 4 ? 4 : 16); ++i) {
        for (int bit = 7; bit >= 0; --bit) {
            bits.digits += ((bytes[i] >> bit) & 1) != 0 ? '1' : '0';
        }
    }
    // An IPv4 client of a listener for both families is an IPv4 client.
    const std::string mapped = std::string(80, '0') + std::string(16, '1');
    if (bits.family == 6 && bits.digits.compare(0, 96, mapped) == 0) {
        bits.family = 4;
        bits.digits.erase(0, 96);
    }
    if (slash != std::string::npos) {
        bits.digits.resize(std::stoul(text.substr(slash + 1)));
    }
    return bits;
}

Standing standing_of(const World& world, const Request& request) {
    Standing standing;
    const auto found = world.tokens.find(request.token);
    if (found == world.tokens.end()) {
        return standing;
    }
    standing.token = found->second;
    const ModelToken& token = standing.token;

    // A token whose user or organization was deleted is unknown.
    if (token.kind == "user" ? !world.users.contains(token.user)
                             : !world.organizations.contains(token.organization)) {
        return standing;
    }
    standing.known = true;

    if (token.kind != "user") {
        standing.organization = token.organization;
        standing.member = true;
        standing.role = token.role;
        return standing;
    }
    if (request.mode == "off" || !is_name(request.organization)) {
        return standing;
    }
    standing.organization = request.organization;
    const auto membership = world.memberships.find({token.user, request.organization});
    if (membership != world.memberships.end() &&
        world.organizations.contains(request.organization)) {
        standing.member = true;
        standing.role = membership->second;
    }
    return standing;
}

bool expected_grant(const World& world, const Standing& standing, const std::string& scope) {
    const bool role_set = !standing.role.empty();
    const bool own_set = !standing.token.scopes.empty();
    const bool by_role = any_of_them_covers(scopes_of_role(world, standing.role), scope);
    const bool by_own = any_of_them_covers(standing.token.scopes, scope);
    if (role_set && own_set) {
        return by_role && by_own;
    }
    if (role_set) {
        return by_role;
    }
    return own_set && by_own;
}

std::string expected_scopes(const World& world, const Standing& standing) {
    if (!standing.known) {
        return "";
    }
    std::set<std::string> words = scopes_of_role(world, standing.role);
    words.insert(standing.token.scopes.begin(), standing.token.scopes.end());
    std::string all;
    for (const std::string& word : words) {
        if (expected_grant(world, standing, word)) {
            all += (all.empty() ? "" : " ") + word;
        }
    }
    return all;
}

std::string expected_code(const World& world, const Request& request) {
    const Standing standing = standing_of(world, request);
    const ModelToken& token = standing.token;
    if (!standing.known) {
        return "token_unknown";
    }
    const bool user_disabled =
        token.kind == "user" ? world.users.at(token.user) : token.user_disabled;
    if (token.revoked || user_disabled) {
        return "token_revoked";
    }
    if (token.not_before != 0 && request.now < token.not_before) {
        return "token_not_yet_valid";
    }
    if (token.expires != 0 && request.now >= token.expires) {
        return "token_expired";
    }
    if (!address_allowed(token, request.client)) {
        return "address_not_allowed";
    }
    if (!request.kinds.contains(token.kind)) {
        return "kind_not_allowed";
    }

    const std::string named = request.mode == "off" ? "" : request.organization;
    if (token.organization.empty() && named.empty() && request.mode == "required") {
        return "organization_missing";
    }
    if (!named.empty() && !is_name(named)) {
        return "organization_malformed";
    }
    if (!token.organization.empty() && !named.empty() && named != token.organization) {
        return "organization_mismatch";
    }
    if (!standing.organization.empty()) {
        if (!standing.member) {
            return "not_a_member";
        }
        if (world.organizations.at(standing.organization)) {
            return "organization_suspended";
        }
    }

    const std::vector<std::string> groups = words_of(request.groups);
    const bool in_group = std::any_of(groups.begin(), groups.end(), [&](const std::string& group) {
        return token.kind == "group" &&
               (group == token.group || group == token.organization + "/" + token.group);
    });
    if (blank(request.groups) || (!request.groups.empty() && !in_group)) {
        return "group_missing";
    }
    const std::vector<std::string> roles = words_of(request.roles);
    const bool in_role = std::find(roles.begin(), roles.end(), standing.role) != roles.end();
    if (blank(request.roles) || (!request.roles.empty() && !in_role)) {
        return "role_missing";
    }
    const auto granted = [&](const std::string& scope) {
        return expected_grant(world, standing, scope);
    };
    const std::vector<std::string> scopes = words_of(request.scopes);
    const std::vector<std::string> scopes_any = words_of(request.scopes_any);
    if (blank(request.scopes) || blank(request.scopes_any) ||
        !std::all_of(scopes.begin(), scopes.end(), granted) ||
        (!scopes_any.empty() && std::none_of(scopes_any.begin(), scopes_any.end(), granted))) {
        return "scope_missing";
    }
    return "ok";
}

}  // namespace token_auth::unit
