#include "tokensync/record_encoder.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {
namespace {

[[noreturn]] void reject(const std::string& whose, const std::string& what) {
    throw base::Error(
        fmt::format("{} in the registry {}; mend or delete it there (by SQL if tokenctl does not "
                    "take it); until then nothing is synced, no revocation either",
                    whose, what));
}

std::string hint_of_digest(std::string_view digest) {
    std::string hint;
    for (const char byte : digest.substr(0, 4)) {
        hint += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    }
    return hint;
}

std::string_view digest_text(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string label(std::string_view id) {
    return is_identifier(id) ? fmt::format("\"{}\"", id) : base::quoted(id);
}

// A token whose id is none may be anything, even a token somebody wrote into that column.
std::string token_label(const registry::Token& token) {
    if (is_identifier(token.id)) {
        return fmt::format("the token \"{}\"", token.id);
    }
    return fmt::format("the token with the digest {}…",
                       hint_of_digest(digest_text(token.digest.bytes)));
}

void require_identifier(std::string_view id, const std::string& whose, const char* which) {
    if (!is_identifier(id)) {
        reject(whose, fmt::format("has {} that is no identifier ([A-Za-z0-9._-], 1 to {} bytes)",
                                  which, identifier_max));
    }
}

template <typename Record>
bool decodes(std::string_view value) {
    Record record;
    return decode(value, record);
}

template <typename Record>
std::vector<std::string> record_fields(std::string_view left, std::string_view right,
                                       std::string_view field) {
    if (!decodes<Record>(left) || !decodes<Record>(right)) {
        return {"damaged"};
    }
    return {std::string(field)};
}

std::vector<std::string> token_fields(std::string_view left, std::string_view right) {
    TokenRecord a;
    TokenRecord b;
    if (!decode(left, a) || !decode(right, b)) {
        return {"damaged"};
    }
    std::vector<std::string> fields;
    const auto compare = [&](const char* name, bool same) {
        if (!same) {
            fields.emplace_back(name);
        }
    };
    compare("id", a.id == b.id);
    compare("kind", a.kind == b.kind);
    compare("subject", a.subject == b.subject);
    compare("organization", a.organization == b.organization);
    compare("group", a.group == b.group);
    compare("role", a.role == b.role);
    compare("scopes", a.scopes == b.scopes);
    compare("name", a.name == b.name);
    compare("allow", a.allow == b.allow);
    compare("not_before", a.not_before == b.not_before);
    compare("expires", a.expires == b.expires);
    compare("revoked", a.revoked == b.revoked);
    compare("disabled", a.subject_disabled == b.subject_disabled);
    compare("key_id", a.key_id == b.key_id);
    return fields;
}

}  // namespace

template <typename Record>
std::string_view Encoder::value_of(const Record& record) {
    return {value_.data(), token_auth::encode(record, value_.data(), value_.size())};
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

Entry Encoder::encode(const registry::Membership& membership) {
    const std::string whose = fmt::format("the membership of {} in {}", label(membership.user),
                                          label(membership.organization));
    require_identifier(membership.user, whose, "a user");
    require_identifier(membership.organization, whose, "an organization");
    require_identifier(membership.role, whose, "a role");
    const std::string_view value = value_of(MembershipRecord{membership.role});
    return {this->membership(membership.user, membership.organization), value};
}

Entry Encoder::encode(const registry::Organization& organization) {
    require_identifier(organization.id, fmt::format("the organization {}", label(organization.id)),
                       "an id");
    const std::string_view value = value_of(OrganizationRecord{organization.suspended});
    return {this->organization(organization.id), value};
}

Entry Encoder::encode(const registry::Role& role) {
    const std::string whose = fmt::format("the role {}", label(role.id));
    require_identifier(role.id, whose, "an id");
    const std::string_view value = value_of(RoleRecord{join(role.scopes, whose)});
    return {this->role(role.id), value};
}

Entry Encoder::encode(const registry::Token& token) {
    TokenRecord record;
    record.kind = token.kind;
    record.revoked = token.revoked != 0;
    // A person may be disabled by one small write to their own record.
    record.subject_disabled = token.user_disabled && token.kind != kind_user;
    record.key_id = token.digest.key_id;
    record.not_before = token.not_before;
    record.expires = token.expires;
    // A number that stands for no time is most likely one of milliseconds.
    for (const std::int64_t time : {token.not_before, token.expires}) {
        if (time < 0 || time > base::time_max) {
            reject(token_label(token), "has a time that is none (seconds since 1970)");
        }
    }
    record.id = token.id;
    record.subject = token.user;
    record.organization = token.organization;
    record.group = token.group;
    record.role = token.role;
    record.name = printable_name(token.name);
    // The label costs an allocation, of which a full load has none to spare.
    if (!token.scopes.empty()) {
        record.scopes = join(token.scopes, token_label(token));
    }
    if (!token.allow.empty()) {
        record.allow = pack(token.allow, token_label(token));
    }
    const std::string_view value = value_of(record);
    if (value.empty()) {
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
        reject(whose, "has an organization or a group that does not go with its kind");
    }
    return {this->token(token.digest.bytes), value};
}

Entry Encoder::encode(const registry::User& user) {
    require_identifier(user.id, fmt::format("the user {}", label(user.id)), "an id");
    const std::string_view value = value_of(UserRecord{user.disabled});
    return {this->user(user.id), value};
}

std::string_view Encoder::membership(const std::string& user, const std::string& organization) {
    return membership_key(user, organization, key_);
}

std::string_view Encoder::organization(const std::string& id) {
    return organization_key(id, key_);
}

std::string_view Encoder::role(const std::string& id) {
    return role_key(id, key_);
}

std::string_view Encoder::token(const Digest& digest) {
    return token_key(digest, key_);
}

std::string_view Encoder::user(const std::string& id) {
    return user_key(id, key_);
}

Name name_of(std::string_view key, std::string_view value) {
    const char tag = key.empty() ? '\0' : key.front();
    const std::string_view rest = key.empty() ? key : key.substr(1);
    switch (tag) {
        case tag_membership: {
            const std::size_t end = rest.find('\0');
            if (end == std::string_view::npos) {
                return {"membership", base::printable(rest)};
            }
            return {"membership", base::printable(rest.substr(0, end)) + ' ' +
                                      base::printable(rest.substr(end + 1))};
        }
        case tag_organization:
            return {"organization", base::printable(rest)};
        case tag_role:
            return {"role", base::printable(rest)};
        case tag_user:
            return {"user", base::printable(rest)};
        case tag_token: {
            TokenRecord record;
            if (decode(value, record)) {
                return {"token", std::string(record.id)};
            }
            return {"token", fmt::format("with the digest {}…", hint_of_digest(rest))};
        }
        default:
            return {"record", fmt::format("with the key {}…", hint_of_digest(key))};
    }
}

std::vector<std::string> differing_fields(std::string_view key, std::string_view left,
                                          std::string_view right) {
    switch (key.empty() ? '\0' : key.front()) {
        case tag_membership:
            return record_fields<MembershipRecord>(left, right, "role");
        case tag_organization:
            return record_fields<OrganizationRecord>(left, right, "suspended");
        case tag_role:
            return record_fields<RoleRecord>(left, right, "scopes");
        case tag_token:
            return token_fields(left, right);
        case tag_user:
            return record_fields<UserRecord>(left, right, "disabled");
        default:
            return {"damaged"};
    }
}

}  // namespace token_auth::tokensync
