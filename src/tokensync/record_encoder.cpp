#include "tokensync/record_encoder.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "base/time.hpp"
#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokensync {
namespace {

constexpr const char* no_role_number = "is beyond the number of roles that a store can hold";

}  // namespace

// The functions that give a text say what is wrong: null, if nothing is.

const char* Encoder::join(const std::vector<std::string>& scopes) {
    scopes_.clear();
    for (const std::string& scope : scopes) {
        if (!is_scope(scope)) {
            return "has a scope that is none";
        }
        if (!scopes_.empty()) {
            scopes_ += ' ';
        }
        scopes_ += scope;
    }
    static_assert(scopes_max == 8192);
    if (scopes_.size() > scopes_max) {
        return "has more than 8192 bytes of scopes";
    }
    std::string sorted(scopes_.size(), '\0');
    std::size_t size = 0;
    if (!canonical_scopes(scopes_, sorted.data(), size)) {
        return "has too many scopes";
    }
    scopes_.assign(sorted, 0, size);
    return nullptr;
}

const char* Encoder::pack(const std::vector<std::string>& blocks) {
    allow_.clear();
    static_assert(allow_max == 64);
    if (blocks.size() > allow_max) {
        return "allows more than 64 address blocks";
    }
    for (const std::string& block : blocks) {
        Cidr cidr;
        if (!parse_cidr(block, cidr)) {
            return "allows an address block that is none";
        }
        allow_.append(reinterpret_cast<const char*>(cidr.data()), cidr.size());
    }
    return nullptr;
}

const char* Encoder::printable_name(std::string_view name, std::string_view& out) {
    static_assert(name_max == 255);
    out = name;
    if (name.size() > name_max) {
        return "has a name of more than 255 bytes";
    }
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
    if (std::all_of(name.begin(), name.end(), is_plain)) {
        return nullptr;
    }
    if (!base::is_utf8(name)) {
        return "has a name that is no text in UTF-8";
    }
    // Only SQL of somebody else's can write such a name; in a header field it could end the field,
    // and in a log hide what follows.
    name_ = base::replace_invisible(name, '?');
    out = name_;
    return nullptr;
}

// False for one that counts as none.
bool Encoder::membership(const registry::MemberOf& membership, const std::string& user,
                         Membership& out) {
    try {
        out = {membership.organization, organization_number(membership.organization),
               numbers_.role(membership.role)};
        return true;
    } catch (const store_writer::NoNumberLeft&) {
        if (!last_) {
            throw;
        }
        unnumbered_.push_back(registry::bad_membership(
            user, membership.organization, fmt::format("names a role that {}", no_role_number)));
        return false;
    }
}

std::string_view Encoder::token(const registry::Token& token) {
    // A number that stands for no time is most likely one of milliseconds.
    for (const std::int64_t time : {token.not_before, token.expires}) {
        if (time < 0 || time > base::time_max) {
            throw Unfit(registry::bad_token(token, "has a time that is none (seconds since 1970)"));
        }
    }
    TokenEntry entry;
    entry.digest = token.digest.bytes;
    entry.kind = token.kind;
    entry.revoked = token.revoked != 0;
    entry.disabled = token.user_disabled;
    entry.expires = token.expires;
    entry.not_before = token.not_before;
    entry.id = token.id;
    entry.subject = token.user;
    entry.group = token.group;
    const char* problem = printable_name(token.name, entry.name);
    if (problem == nullptr && !token.scopes.empty()) {
        problem = join(token.scopes);
        entry.scopes = scopes_;
    }
    if (problem == nullptr && !token.allow.empty()) {
        problem = pack(token.allow);
        entry.allow = allow_;
    }
    if (problem != nullptr) {
        throw Unfit(registry::bad_token(token, problem));
    }
    if (token.kind == kind_user) {
        entry.user_key = user_key(token.user);
        entry.many_memberships = token.memberships.size() > memberships_max;
    } else {
        entry.organization = token.organization;
        entry.organization_number = organization_number(token.organization);
    }
    if (!token.role.empty() && (token.kind == kind_user || !is_identifier(token.role))) {
        reject_token(token);
    }
    set_numbers(token, entry);
    const std::size_t size = encode(entry, false, value_.data(), value_.size());
    if (size == 0) {
        reject_token(token);
    }
    return {value_.data(), size};
}

// What has no number yet is given one only for a token that can be encoded.
void Encoder::set_numbers(const registry::Token& token, TokenEntry& entry) {
    if (!numbers_.knows(token.role, token.digest.key_id) &&
        encode(entry, false, value_.data(), value_.size()) == 0) {
        reject_token(token);
    }
    try {
        entry.key_index = numbers_.key(token.digest.key_id);
        entry.role = numbers_.role(token.role);
    } catch (const store_writer::NoNumberLeft&) {
        if (!last_) {
            throw;
        }
        throw Unfit(registry::bad_token(
            token,
            "has a role, or a key for its digest, that is beyond the number of those that "
            "a store can hold"));
    }
    for (std::size_t i = 0; !entry.many_memberships && i < token.memberships.size(); ++i) {
        Membership one;
        if (membership(token.memberships[i], token.user, one)) {
            entry.memberships[entry.membership_count++] = one;
        }
    }
}

void Encoder::reject_token(const registry::Token& token) {
    using registry::identifier_problem;
    std::string problem = identifier_problem(token.id, "an id");
    if (problem.empty()) {
        problem = identifier_problem(token.user, "a user");
    }
    for (const auto& [id, which] :
         {std::pair{&token.organization, "an organization"}, std::pair{&token.group, "a group"},
          std::pair{&token.role, "a role"}}) {
        if (problem.empty() && !id->empty()) {
            problem = identifier_problem(*id, which);
        }
    }
    if (problem.empty()) {
        problem = "has an organization, a group or a role that does not go with its kind";
    }
    throw Unfit(registry::bad_token(token, problem));
}

std::string_view Encoder::user(const std::string& id, const std::vector<registry::MemberOf>& all) {
    if (all.size() <= memberships_max) {
        return {};
    }
    const std::string problem = registry::identifier_problem(id, "an id");
    if (!problem.empty()) {
        throw Unfit(registry::bad_user(id, problem));
    }
    std::vector<Membership> memberships;
    memberships.reserve(all.size());
    for (const registry::MemberOf& one : all) {
        Membership sound;
        if (membership(one, id, sound)) {
            memberships.push_back(sound);
        }
    }
    std::sort(memberships.begin(), memberships.end(), [](const Membership& a, const Membership& b) {
        return std::pair(a.number, a.organization) < std::pair(b.number, b.organization);
    });
    user_.resize(user_record_size(id, memberships.data(), memberships.size()));
    if (user_.empty() || encode_user(id, memberships.data(), memberships.size(), user_.data(),
                                     user_.size()) != user_.size()) {
        throw Unfit(registry::bad_user(id, "has more memberships than a record holds"));
    }
    return user_;
}

std::string_view Encoder::role(const registry::Role& role) {
    std::string problem = registry::identifier_problem(role.id, "an id");
    if (const char* const wrong = problem.empty() ? join(role.scopes) : nullptr) {
        problem = wrong;
    }
    if (!problem.empty()) {
        throw Unfit(registry::bad_role(role.id, problem));
    }
    const RoleEntry entry{true, role.id, scopes_};
    return {value_.data(), encode(entry, value_.data(), value_.size())};
}

std::uint16_t Encoder::role_number(const std::string& id) {
    try {
        return numbers_.role(id);
    } catch (const store_writer::NoNumberLeft&) {
        if (!last_) {
            throw;
        }
        throw Unfit(registry::bad_role(id, no_role_number));
    }
}

std::string_view Encoder::absent_role(const std::string& name) {
    return {value_.data(), encode(RoleEntry{false, name, {}}, value_.data(), value_.size())};
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
    compare("role", left.is_user() || left.role() == right.role());
    compare("memberships", same_memberships());
    compare("scopes", left.scopes() == right.scopes());
    compare("name", left.name() == right.name());
    compare("allow", left.allow() == right.allow());
    compare("not_before", left.not_before() == right.not_before());
    compare("expires", left.expires() == right.expires());
    compare("revoked", left.revoked() == right.revoked());
    compare("disabled", left.disabled() == right.disabled());
    compare("held_back", left.held_back() == right.held_back());
    compare("key_id", left.key_index() == right.key_index());
    return fields;
}

}  // namespace token_auth::tokensync
