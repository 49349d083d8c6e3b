// Whatever an encoder takes, the decoder gives back.
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "token_auth/address.hpp"
#include "token_auth/record.hpp"

namespace token_auth {
namespace {

rc::Gen<std::string> identifiers() {
    return rc::gen::resize(64, rc::gen::nonEmpty(rc::gen::container<std::string>(
                                   rc::gen::elementOf(std::string("ABCXYZabcxyz0123456789._-")))));
}

std::string identifier() {
    std::string text = *identifiers();
    text.resize(std::min<std::size_t>(text.size(), 64));
    return text == "." || text == ".." ? "dot" : text;
}

std::string scopes() {
    std::string list;
    for (const std::string& word : *rc::gen::container<std::vector<std::string>>(identifiers())) {
        if (list.size() + word.size() < scopes_max) {
            list += word + " ";
        }
    }
    std::string out(list.size(), '\0');
    std::size_t size = 0;
    RC_ASSERT(canonical_scopes(list, out.data(), size));
    out.resize(size);
    return out;
}

// What an entry's views point into.
struct Texts {
    std::string id = identifier();
    std::string organization = identifier();
    std::string name = *rc::gen::resize(200, rc::gen::arbitrary<std::string>());
    std::string subject = *rc::gen::arbitrary<bool>() ? identifier() : std::string();
    std::string group = identifier();
    std::string scopes = token_auth::scopes();
    std::string allow = std::string(*rc::gen::inRange<std::size_t>(0, 65) * cidr_size, '\4');
    std::vector<std::string> organizations = *rc::gen::container<std::vector<std::string>>(
        *rc::gen::inRange<std::size_t>(0, 5), identifiers());
};

TokenEntry drawn_entry(Texts& texts) {
    TokenEntry entry;
    for (std::uint8_t& byte : entry.digest) {
        byte = *rc::gen::arbitrary<std::uint8_t>();
    }
    entry.kind = *rc::gen::element(kind_organization, kind_group, kind_user);
    entry.revoked = *rc::gen::arbitrary<bool>();
    entry.disabled = *rc::gen::arbitrary<bool>();
    entry.key_index = *rc::gen::inRange<std::uint8_t>(0, key_uses_max);
    entry.expires = *rc::gen::arbitrary<std::int64_t>();
    entry.not_before = *rc::gen::arbitrary<std::int64_t>();
    entry.id = texts.id;
    entry.name = texts.name;
    entry.subject = texts.subject;
    entry.scopes = texts.scopes;
    entry.allow = texts.allow;
    if (entry.kind != kind_user) {
        entry.organization = texts.organization;
        entry.organization_number = *rc::gen::arbitrary<std::uint32_t>();
        entry.role = *rc::gen::arbitrary<std::uint16_t>();
        entry.group = entry.kind == kind_group ? std::string_view(texts.group) : std::string_view();
        return entry;
    }
    entry.subject = texts.organization;
    entry.user_key = user_key(entry.subject);
    entry.many_memberships = texts.organizations.empty() && *rc::gen::arbitrary<bool>();
    for (std::string& each : texts.organizations) {
        each.resize(std::min<std::size_t>(each.size(), 64));
        if (each == "." || each == "..") {
            each = "dot";
        }
        entry.memberships[entry.membership_count++] = {each, *rc::gen::arbitrary<std::uint32_t>(),
                                                       *rc::gen::arbitrary<std::uint16_t>()};
    }
    return entry;
}

bool equal(const Membership& a, const Membership& b) {
    return a.organization == b.organization && a.number == b.number && a.role == b.role;
}

bool equal(const TokenEntry& a, const TokenEntry& b) {
    return a.digest == b.digest && a.kind == b.kind && a.revoked == b.revoked &&
           a.disabled == b.disabled && a.key_index == b.key_index && a.expires == b.expires &&
           a.not_before == b.not_before && a.organization_number == b.organization_number &&
           a.role == b.role && a.user_key == b.user_key && a.id == b.id &&
           a.organization == b.organization && a.name == b.name && a.subject == b.subject &&
           a.group == b.group && a.scopes == b.scopes && a.allow == b.allow &&
           a.membership_count == b.membership_count &&
           std::equal(a.memberships.begin(), a.memberships.begin() + a.membership_count,
                      b.memberships.begin(),
                      [](const Membership& x, const Membership& y) { return equal(x, y); }) &&
           a.many_memberships == b.many_memberships;
}

void token_comes_back() {
    Texts texts;
    texts.name.resize(std::min(texts.name.size(), name_max));
    const TokenEntry entry = drawn_entry(texts);
    std::string value(token_entry_max, '\0');
    const bool followed = *rc::gen::arbitrary<bool>();
    value.resize(encode(entry, followed, value.data(), value.size()));
    RC_ASSERT(!value.empty());
    const std::size_t size = value.size();
    value += "what stands behind it";
    TokenView view;
    RC_ASSERT(view.parse(value));
    RC_ASSERT(view.bytes().size() == size);
    RC_ASSERT(view.is_followed() == followed);
    RC_ASSERT(view.is_of(entry.digest));
    RC_ASSERT(equal(view.entry(token_key(entry.digest)), entry));
}

void user_comes_back() {
    std::vector<std::pair<std::uint32_t, std::string>> drawn;
    for (std::string& each : *rc::gen::container<std::vector<std::string>>(identifiers())) {
        each.resize(std::min<std::size_t>(each.size(), 64));
        if (each != "." && each != "..") {
            drawn.emplace_back(*rc::gen::inRange<std::uint32_t>(0, 9), each);
        }
    }
    std::sort(drawn.begin(), drawn.end());
    drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
    std::vector<Membership> memberships;
    for (const auto& [number, organization] : drawn) {
        memberships.push_back({organization, number, *rc::gen::arbitrary<std::uint16_t>()});
    }
    std::string value(user_record_size("ada", memberships.data(), memberships.size()), '\0');
    RC_ASSERT(encode_user("ada", memberships.data(), memberships.size(), value.data(),
                          value.size()) == value.size());
    UserView view;
    RC_ASSERT(view.parse(value));
    RC_ASSERT(view.count == memberships.size());
    for (std::uint32_t i = 0; i < view.count; ++i) {
        Membership found;
        bool sound = true;
        RC_ASSERT(view.membership(i, found));
        RC_ASSERT(equal(found, memberships[i]));
        RC_ASSERT(view.find(found.number, memberships[i].organization, found, sound));
        RC_ASSERT(equal(found, memberships[i]));
    }
}

}  // namespace
}  // namespace token_auth

int main() {
    const bool tokens = rc::check("a token's entry comes back", token_auth::token_comes_back);
    const bool users = rc::check("a user's record comes back", token_auth::user_comes_back);
    return tokens && users ? 0 : 1;
}
