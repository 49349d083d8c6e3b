// The decoders of the store's records: whatever bytes a value holds, what they take stays within
// it, is made of the same bytes when it is encoded again, and can be used.
#include <array>
#include <memory>
#include <string>

#include "fuzz.hpp"
#include "token_auth/address.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::fuzz {
namespace {

template <typename Record>
void require_same(const Record& record, const Exact& value) {
    static std::array<char, value_max + 64 * 1024> buffer;
    const std::size_t size = encode(record, buffer.data(), buffer.size());
    require(std::string_view(buffer.data(), size) == value.view(), "encodes to the same bytes");
}

// What the module does with a token that it found.
void use(const TokenRecord& token, std::string_view role_scopes) {
    for (const bool member : {false, true}) {
        Claims claims;
        claims.known = true;
        claims.token = token;
        claims.role = member ? std::string_view("role") : std::string_view();
        claims.role_scopes = member ? role_scopes : std::string_view();
        const std::size_t room = effective_scopes_size(claims);
        const std::unique_ptr<char[]> list(new char[room]);
        const std::size_t used = effective_scopes(claims, list.get());
        require(used <= room, "effective scopes stay within their room");
        std::string_view words(list.get(), used);
        std::string_view last;
        for (std::string_view word = next_word(words); !word.empty(); word = next_word(words)) {
            require(last < word, "effective scopes are sorted");
            require(grants(claims, word), "effective scopes are granted");
            last = word;
        }
    }
    Address client;
    require(!any_contains(token.allow, client), "no address is in no block");
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
        require(parse_address(text, client), "an address");
        any_contains(token.allow, client);
    }
}

void check(std::string_view bytes, std::string_view rest) {
    const Exact value(bytes);
    TokenRecord token;
    if (decode(value.view(), token)) {
        for (const std::string_view part :
             {token.id, token.subject, token.organization, token.group, token.role, token.name,
              token.scopes, token.allow}) {
            require(value.holds(part), "parts are of the value");
        }
        require_same(token, value);
        use(token, rest.substr(0, scopes_max));
    }
    OrganizationRecord organization;
    if (decode(value.view(), organization)) {
        require_same(organization, value);
    }
    UserRecord user;
    if (decode(value.view(), user)) {
        require_same(user, value);
    }
    MembershipRecord membership;
    if (decode(value.view(), membership)) {
        require(value.holds(membership.role), "parts are of the value");
        require_same(membership, value);
    }
    RoleRecord role;
    if (decode(value.view(), role)) {
        require(value.holds(role.scopes), "parts are of the value");
        require_same(role, value);
    }
    MetaRecord meta;
    if (decode(value.view(), meta) == MetaProblem::none) {
        require(value.holds(meta.source) && value.holds(meta.position), "parts are of the value");
        require_same(meta, value);
    }
}

}  // namespace
}  // namespace token_auth::fuzz

// The value, or, behind two bytes that give its length, a value and the scopes of a role.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    const std::string_view text = text_of(data, size);
    check(text, {});
    if (size >= 2) {
        const std::size_t length = data[0] + 256U * data[1];
        if (length <= size - 2) {
            check(text.substr(2, length), text.substr(2 + length));
        }
    }
    return 0;
}
