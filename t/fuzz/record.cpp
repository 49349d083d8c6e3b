// The decoders of the store's records: whatever bytes a value holds, what they take stays within
// it, and can be used.
#include <memory>
#include <string>

#include "fuzz.hpp"
#include "token_auth/address.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::fuzz {
namespace {

// What the module does with a token that it found.
void use(const TokenView& token, std::string_view role_scopes) {
    for (const bool has_role : {false, true}) {
        const ScopeSets sets{has_role, has_role ? role_scopes : std::string_view(), token.scopes()};
        const std::size_t room = effective_scopes_size(sets);
        const std::unique_ptr<char[]> list(new char[room]);
        const std::size_t used = effective_scopes(sets, list.get());
        require(used <= room, "effective scopes stay within their room");
        if (!are_canonical_scopes(sets.role) || !are_canonical_scopes(sets.token)) {
            continue;
        }
        const std::string_view effective(list.get(), used);
        require(are_canonical_scopes(effective), "effective scopes are sorted");
        std::string_view words = effective;
        for (std::string_view word = next_word(words); !word.empty(); word = next_word(words)) {
            require(grants(sets, word), "effective scopes are granted");
        }
        for (std::string_view list_of : {sets.role, sets.token}) {
            for (std::string_view word = next_word(list_of); !word.empty();
                 word = next_word(list_of)) {
                require(grants(sets, word) == any_covers(effective, word),
                        "what is granted is listed");
            }
        }
    }
    Address client;
    require(!any_contains(token.allow(), client), "no address is in no block");
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
        require(parse_address(text, client), "an address");
        any_contains(token.allow(), client);
    }
    char subject[subject_max];
    subject_of(token, subject);
    Membership membership;
    token.find_membership("acme", membership);
}

void check_token(const Exact& value, std::string_view rest) {
    TokenView token;
    if (!token.parse(value.view())) {
        return;
    }
    for (const std::string_view part :
         {token.bytes(), token.id(), token.organization(), token.name(), token.subject(),
          token.group(), token.scopes(), token.allow()}) {
        require(value.holds(part), "parts are of the value");
    }
    for (std::size_t i = 0; i < token.membership_count(); ++i) {
        require(value.holds(token.membership(i).organization), "parts are of the value");
    }
    static char again[token_entry_max];
    const std::size_t size = encode(token.entry(1), token.is_followed(), again, sizeof(again));
    require(size <= token.bytes().size(), "nothing comes to it");
    use(token, rest.substr(0, scopes_max));
}

void check_others(const Exact& value) {
    UserView user;
    if (user.parse(value.view())) {
        require(value.holds(user.bytes) && value.holds(user.user), "parts are of the value");
        Membership membership;
        for (std::uint32_t i = 0; i < user.count; ++i) {
            require(!user.membership(i, membership) || value.holds(membership.organization),
                    "parts are of the value");
            bool sound = true;
            user.find(i, "acme", membership, sound);
        }
    }
    std::uint32_t count = 0;
    std::string_view rest;
    std::string_view id;
    if (suspensions(value.view(), count, rest)) {
        while (next_suspension(rest, id)) {
            require(value.holds(id), "parts are of the value");
        }
    }
    RoleEntry role;
    if (decode(value.view(), role)) {
        require(value.holds(role.name) && value.holds(role.scopes), "parts are of the value");
    }
    StoreMeta meta;
    if (decode(value.view(), meta) == MetaState::whole) {
        require(value.holds(meta.source) && value.holds(meta.position), "parts are of the value");
        static char again[meta_record_max];
        require(std::string_view(again, encode(meta, again, sizeof(again))) == value.view(),
                "encodes to the same bytes");
    }
}

}  // namespace
}  // namespace token_auth::fuzz

// Two bytes that give its length, a value, and the scopes of a role.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    if (size < 2) {
        return 0;
    }
    const std::string_view text = text_of(data, size).substr(2);
    const std::size_t length = std::min<std::size_t>(data[0] + 256U * data[1], text.size());
    const Exact value(text.substr(0, length));
    check_token(value, text.substr(length));
    check_others(value);
    return 0;
}
