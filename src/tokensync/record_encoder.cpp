#include "tokensync/record_encoder.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"
#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {
namespace {

[[noreturn]] void reject(const std::string& whose, const std::string& what) {
    throw base::Error(
        fmt::format("{} in the registry {}; mend or delete it there (by SQL where tokenctl takes "
                    "no such thing); "
                    "until then nothing is synced, no revocation either",
                    whose, what));
}

std::string label(std::string_view id) {
    return is_identifier(id) ? fmt::format("\"{}\"", id) : base::quoted(id);
}

// A token whose id is none may be anything, even a token somebody wrote into that column.
std::string token_label(const registry::Token& token) {
    if (is_identifier(token.id)) {
        return fmt::format("the token \"{}\"", token.id);
    }
    return "the token " + digest_hint(token.digest.bytes);
}

void require_identifier(std::string_view id, const std::string& whose, const char* which) {
    if (!is_identifier(id)) {
        reject(whose, fmt::format("has {} that is no identifier ([A-Za-z0-9._-], 1 to {} bytes)",
                                  which, identifier_max));
    }
}

std::string membership_label(const std::string& user, const std::string& organization) {
    return fmt::format("the membership of {} in {}", label(user), label(organization));
}

}  // namespace

std::string digest_hint(const Digest& digest) {
    return fmt::format("with the digest {:02x}{:02x}{:02x}{:02x}…", digest[0], digest[1], digest[2],
                       digest[3]);
}

std::string_view Encoder::join(const std::vector<std::string>& scopes, const std::string& whose) {
    scopes_.clear();
    for (const std::string& scope : scopes) {
        if (!is_scope(scope)) {
            reject(whose, fmt::format("has a scope that is none: {}", base::quoted(scope)));
        }
        if (!scopes_.empty()) {
            scopes_ += ' ';
        }
        scopes_ += scope;
    }
    if (scopes_.size() > scopes_max) {
        reject(whose, fmt::format("has more than {} bytes of scopes", scopes_max));
    }
    std::string sorted(scopes_.size(), '\0');
    std::size_t size = 0;
    if (!canonical_scopes(scopes_, sorted.data(), size)) {
        reject(whose, "has too many scopes");
    }
    scopes_.assign(sorted, 0, size);
    return scopes_;
}

std::string_view Encoder::pack(const std::vector<std::string>& blocks, const std::string& whose) {
    allow_.clear();
    for (const std::string& block : blocks) {
        Cidr cidr;
        if (!parse_cidr(block, cidr)) {
            reject(whose,
                   fmt::format("allows an address block that is none: {}", base::quoted(block)));
        }
        allow_.append(reinterpret_cast<const char*>(cidr.data()), cidr.size());
    }
    if (blocks.size() > allow_max) {
        reject(whose, fmt::format("allows more than {} address blocks", allow_max));
    }
    return allow_;
}

std::string_view Encoder::printable_name(std::string_view name) {
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::none_of(name.begin(), name.end(), is_control)) {
        return name;
    }
    // Only SQL of somebody else's can write such a name; in a header field it could end the field.
    name_ = name;
    std::replace_if(name_.begin(), name_.end(), is_control, '?');
    return name_;
}

Membership Encoder::membership(const registry::MemberOf& membership, const std::string& user) {
    const std::string whose = membership_label(user, membership.organization);
    require_identifier(membership.organization, whose, "an organization");
    require_identifier(membership.role, whose, "a role");
    return {membership.organization, organization_number(membership.organization),
            numbers_.role(membership.role)};
}

std::string_view Encoder::token(const registry::Token& token) {
    // A number that stands for no time is most likely one of milliseconds.
    for (const std::int64_t time : {token.not_before, token.expires}) {
        if (time < 0 || time > base::time_max) {
            reject(token_label(token), "has a time that is none (seconds since 1970)");
        }
    }
    TokenEntry entry;
    entry.digest = token.digest.bytes;
    entry.kind = token.kind;
    entry.revoked = token.revoked != 0;
    entry.disabled = token.user_disabled;
    entry.key_index = numbers_.key(token.digest.key_id);
    entry.expires = token.expires;
    entry.not_before = token.not_before;
    entry.id = token.id;
    entry.name = printable_name(token.name);
    entry.subject = token.user;
    entry.group = token.group;
    // The label costs an allocation, of which a full load has none to spare.
    if (!token.scopes.empty()) {
        entry.scopes = join(token.scopes, token_label(token));
    }
    if (!token.allow.empty()) {
        entry.allow = pack(token.allow, token_label(token));
    }
    if (token.kind == kind_user) {
        entry.user_key = user_key(token.user);
        entry.many_memberships = token.memberships.size() > memberships_max;
        for (std::size_t i = 0; !entry.many_memberships && i < token.memberships.size(); ++i) {
            entry.memberships[entry.membership_count++] =
                membership(token.memberships[i], token.user);
        }
    } else {
        entry.organization = token.organization;
        entry.organization_number = organization_number(token.organization);
    }
    if (!token.role.empty()) {
        if (token.kind == kind_user || !is_identifier(token.role)) {
            reject_token(token);
        }
        entry.role = numbers_.role(token.role);
    }
    const std::size_t size = encode(entry, false, value_.data(), value_.size());
    if (size == 0) {
        reject_token(token);
    }
    return {value_.data(), size};
}

void Encoder::reject_token(const registry::Token& token) {
    const std::string whose = token_label(token);
    require_identifier(token.id, whose, "an id");
    require_identifier(token.user, whose, "a user");
    for (const auto& [id, which] :
         {std::pair{&token.organization, "an organization"}, std::pair{&token.group, "a group"},
          std::pair{&token.role, "a role"}}) {
        if (!id->empty()) {
            require_identifier(*id, whose, which);
        }
    }
    if (token.name.size() > name_max) {
        reject(whose, fmt::format("has a name of more than {} bytes", name_max));
    }
    reject(whose, "has an organization, a group or a role that does not go with its kind");
}

std::string_view Encoder::user(const std::string& id, const std::vector<registry::MemberOf>& all) {
    if (all.size() <= memberships_max) {
        return {};
    }
    require_identifier(id, fmt::format("the user {}", label(id)), "an id");
    std::vector<Membership> memberships;
    memberships.reserve(all.size());
    for (const registry::MemberOf& one : all) {
        memberships.push_back(membership(one, id));
    }
    std::sort(memberships.begin(), memberships.end(), [](const Membership& a, const Membership& b) {
        return std::pair(a.number, a.organization) < std::pair(b.number, b.organization);
    });
    user_.resize(user_record_size(id, memberships.data(), memberships.size()));
    if (user_.empty() || encode_user(id, memberships.data(), memberships.size(), user_.data(),
                                     user_.size()) != user_.size()) {
        reject(fmt::format("the user {}", label(id)), "has more memberships than a record holds");
    }
    return user_;
}

std::string_view Encoder::role(const registry::Role& role) {
    const std::string whose = fmt::format("the role {}", label(role.id));
    require_identifier(role.id, whose, "an id");
    const RoleEntry entry{true, role.id, join(role.scopes, whose)};
    return {value_.data(), encode(entry, value_.data(), value_.size())};
}

std::string_view Encoder::absent_role(const std::string& name) {
    return {value_.data(), encode(RoleEntry{false, name, {}}, value_.data(), value_.size())};
}

void Encoder::require_organization(const std::string& id) {
    require_identifier(id, fmt::format("the organization {}", label(id)), "an id");
}

std::vector<std::string> differing_fields(const TokenView& left, const TokenView& right) {
    std::vector<std::string> fields;
    const auto compare = [&](const char* name, bool same) {
        if (!same) {
            fields.emplace_back(name);
        }
    };
    const auto same_memberships = [&] {
        bool same = left.has_many_memberships() == right.has_many_memberships() &&
                    left.membership_count() == right.membership_count();
        for (std::size_t i = 0; same && i < left.membership_count(); ++i) {
            const Membership a = left.membership(i);
            const Membership b = right.membership(i);
            same = a.organization == b.organization && a.role == b.role;
        }
        return same;
    };
    compare("id", left.id() == right.id());
    compare("kind", left.kind() == right.kind());
    compare("subject", left.subject() == right.subject());
    compare("organization", left.organization() == right.organization());
    compare("group", left.group() == right.group());
    compare("role", left.kind() == kind_user || left.role() == right.role());
    compare("memberships", same_memberships());
    compare("scopes", left.scopes() == right.scopes());
    compare("name", left.name() == right.name());
    compare("allow", left.allow() == right.allow());
    compare("not_before", left.not_before() == right.not_before());
    compare("expires", left.expires() == right.expires());
    compare("revoked", left.revoked() == right.revoked());
    compare("disabled", left.disabled() == right.disabled());
    compare("key_id", left.key_index() == right.key_index());
    return fields;
}

}  // namespace token_auth::tokensync
