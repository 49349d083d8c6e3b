#include "world_store.hpp"

#include <algorithm>
#include <cstdlib>
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

Kind kind_of(const std::string& name) {
    Kind kind = kind_organization;
    if (!kind_of_name(name, kind)) {
        throw std::runtime_error("kind_of_name() refused " + name);
    }
    return kind;
}

// Numbers for the names of roles, in the order in which they are mentioned.
class RoleNumbers {
  public:
    std::uint16_t of(const std::string& name) {
        if (name.empty()) {
            return no_role;
        }
        return numbers_.try_emplace(name, static_cast<std::uint16_t>(numbers_.size()))
            .first->second;
    }
    const std::map<std::string, std::uint16_t>& all() const { return numbers_; }

  private:
    std::map<std::string, std::uint16_t> numbers_;
};

// Of organizations that there are.
std::vector<Membership> memberships_of(const World& world, const std::string& user,
                                       RoleNumbers& roles) {
    std::vector<Membership> all;
    for (const auto& [pair, role] : world.memberships) {
        if (pair.first == user && world.organizations.contains(pair.second)) {
            all.push_back({pair.second, organization_number(pair.second), roles.of(role)});
        }
    }
    std::sort(all.begin(), all.end(), [](const Membership& a, const Membership& b) {
        return std::pair(a.number, a.organization) < std::pair(b.number, b.organization);
    });
    return all;
}

// Some users have a record of their own though they need none.
bool has_record(const std::string& user, const std::vector<Membership>& memberships) {
    return memberships.size() > memberships_max || (!memberships.empty() && user.size() % 2 == 0);
}

std::string allow_of(const ModelToken& token) {
    std::string allow;
    for (const std::string& text : token.allow) {
        Cidr block;
        if (!parse_cidr(text, block)) {
            throw std::runtime_error("parse_cidr() refused " + text);
        }
        allow.append(reinterpret_cast<const char*>(block.data()), block.size());
    }
    return allow;
}

void put_token(MDB_txn* txn, const World& world, const ModelToken& token, const Digest& digest,
               RoleNumbers& roles) {
    const bool is_user = token.kind == "user";
    if (is_user ? !world.users.contains(token.user)
                : !world.organizations.contains(token.organization)) {
        return;
    }
    const std::string scopes = joined(token.scopes);
    const std::string allow = allow_of(token);
    TokenEntry entry;
    entry.digest = digest;
    entry.kind = kind_of(token.kind);
    entry.revoked = token.revoked;
    entry.disabled = is_user ? world.users.at(token.user) : token.user_disabled;
    entry.key_index = token.key.empty() ? 0 : 1;
    entry.not_before = token.not_before;
    entry.expires = token.expires;
    entry.id = token.id;
    entry.name = "a token";
    entry.subject = token.user;
    entry.scopes = scopes;
    entry.allow = allow;
    if (!is_user) {
        entry.organization = token.organization;
        entry.organization_number = organization_number(token.organization);
        entry.group = token.group;
        entry.role = roles.of(token.role);
        StoreFile::put(txn, entry);
        return;
    }
    entry.user_key = user_key(token.user);
    const std::vector<Membership> memberships = memberships_of(world, token.user, roles);
    entry.many_memberships = has_record(token.user, memberships);
    if (!entry.many_memberships) {
        entry.membership_count = memberships.size();
        std::copy(memberships.begin(), memberships.end(), entry.memberships.begin());
    }
    StoreFile::put(txn, entry);
}

void put_suspensions(MDB_txn* txn, const World& world, StoreMeta& meta) {
    std::map<std::uint64_t, std::vector<std::string_view>> buckets;
    for (const auto& [id, suspended] : world.organizations) {
        if (suspended) {
            buckets[suspension_key(organization_number(id))].push_back(id);
            ++meta.counts.suspended;
        }
    }
    for (const auto& [key, ids] : buckets) {
        std::string value(4 + 65 * ids.size(), '\0');
        value.resize(encode_suspensions(ids.data(), ids.size(), value.data(), value.size()));
        LmdbFile::put(txn, key, value);
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

void put_world(MDB_txn* txn, const World& world, Digester& digester, StoreMeta& meta) {
    meta.counts = {};
    meta.keys = {};
    meta.keys[0] = {no_key, 1};
    meta.keys[1] = {digester.key_id(0), 1};
    meta.roles_generation = meta.generation;
    RoleNumbers roles;
    for (const auto& [user, disabled] : world.users) {
        const std::vector<Membership> memberships = memberships_of(world, user, roles);
        if (has_record(user, memberships)) {
            std::string value(user_record_size(user, memberships.data(), memberships.size()), ' ');
            encode_user(user, memberships.data(), memberships.size(), value.data(), value.size());
            LmdbFile::put(txn, user_key(user), value);
        }
    }
    for (const auto& [presented, token] : world.tokens) {
        put_token(txn, world, token, digest_under(digester, presented, token), roles);
        ++meta.counts.tokens;
    }
    put_suspensions(txn, world, meta);
    for (const auto& [name, number] : roles.all()) {
        const auto role = world.roles.find(name);
        const bool exists = role != world.roles.end();
        const std::string scopes = exists ? joined(role->second) : std::string();
        StoreFile::put(txn, number, {exists, name, scopes});
    }
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

Asked::Asked(const Request& request) {
    const auto split = [](const std::vector<std::string>& texts, IfEmpty if_empty,
                          std::vector<std::string_view>& room) {
        const std::vector<std::string_view> values(texts.begin(), texts.end());
        room.resize(words_max(values.data(), values.size()));
        return split_words(values.data(), values.size(), if_empty, room.data());
    };
    requirements_.kinds = 0;
    for (const std::string& name : request.kinds) {
        requirements_.kinds |= kind_of(name);
    }
    requirements_.organization_mode = request.mode == "required"   ? OrganizationMode::required
                                      : request.mode == "optional" ? OrganizationMode::optional
                                                                   : OrganizationMode::off;
    requirements_.groups = split(request.groups, IfEmpty::met_by_nobody, groups_);
    requirements_.roles = split(request.roles, IfEmpty::met_by_nobody, roles_);
    requirements_.scopes = split(request.scopes, IfEmpty::nothing_is_required, scopes_);
    requirements_.scopes_any = split(request.scopes_any, IfEmpty::nothing_is_required, scopes_any_);
    if (!request.client.empty() && !parse_address(request.client, client_)) {
        throw std::runtime_error("parse_address() refused " + request.client);
    }
}

}  // namespace token_auth::unit
