// Input from anyone: whatever bytes come in, parsers and decoders stay within them, and what they
// accept is what they promise.
//
// TOKEN_AUTH_INPUT_CASES sets the number of cases of each property, TOKEN_AUTH_SEED repeats a run.
#include <fmt/format.h>
#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

#include <cstdint>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exact.hpp"
#include "token_auth/address.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"
#include "world_store.hpp"

namespace token_auth::unit {
namespace {

std::string draw_bytes(Draw& draw, std::size_t most) {
    std::string bytes(draw.below(most + 1), '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(draw.below(256));
    }
    return bytes;
}

// Pieces that fields are made of, put together in any order, and now and then damaged.
std::string draw_field(Draw& draw) {
    static const std::vector<std::string> pieces = {
        "Bearer",   "bearer",   "Token",  "TOKEN",  "Basic",    " ",    "  ",    "\t",
        "token=\"", "Token=\"", "\"",     "=",      "==",       "abc",  "a.b_c", "ak_",
        "/+~",      ",",        "nonce=", ";",      "\xc3\xa4", "\r\n", "",      "token",
        ":",        "*",        "B",      "earer ", "\\",       "'",
    };
    if (draw.chance(10)) {
        return draw_bytes(draw, 64);
    }
    std::string field = draw.chance(60) ? draw.of(pieces) + " " : "";
    for (std::size_t count = draw.below(6); count > 0; --count) {
        field += draw.of(pieces);
    }
    if (draw.chance(3)) {
        field += std::string(token_max - 8 + draw.below(16), 'x');
    }
    if (!field.empty() && draw.chance(20)) {
        field[draw.below(field.size())] = static_cast<char>(draw.below(256));
    }
    return field;
}

// token68, written down once more.
bool is_a_token68(std::string_view text) {
    const std::size_t equals = text.find_last_not_of('=');
    const std::string_view front =
        text.substr(0, equals == std::string_view::npos ? 0 : equals + 1);
    return !front.empty() && text.size() <= 4096 &&
           front.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
               "-._~+/") == std::string_view::npos;
}

void credentials_are_token68(const std::string& field) {
    const Exact exact(field);
    for (unsigned schemes = 0; schemes <= (scheme_bearer | scheme_token); ++schemes) {
        const Credential got = parse_authorization(exact.view(), schemes);
        RC_ASSERT(exact.holds(got.token));
        RC_ASSERT((got.status == CredentialStatus::well_formed) == !got.token.empty());
        RC_ASSERT(got.status != CredentialStatus::well_formed || is_a_token68(got.token));
        RC_ASSERT(schemes != 0 || got.status == CredentialStatus::missing);
    }
    RC_ASSERT(is_token68(exact.view()) == is_a_token68(field));
    const Credential bare = parse_bare(exact.view());
    RC_ASSERT((bare.status == CredentialStatus::well_formed) == is_a_token68(field));
    RC_ASSERT((bare.status == CredentialStatus::missing) == field.empty());
    RC_ASSERT(exact.holds(bare.token));
}

// A token68 behind a scheme is found whatever stands around it.
void tokens_are_found(const std::string& token) {
    for (const std::string& field :
         {"Bearer " + token, "  tOkEn    " + token + "   ", "Token token=\"" + token + "\""}) {
        const Exact exact(field);
        const Credential got = parse_authorization(exact.view(), scheme_bearer | scheme_token);
        RC_ASSERT((got.status == CredentialStatus::well_formed) == is_a_token68(token));
        RC_ASSERT(got.status != CredentialStatus::well_formed || got.token == token);
    }
}

template <typename Record>
bool decoded(const Exact& value, Record& out) {
    return decode(value.view(), out);
}

// What is decoded stays within the value, and encodes to the same bytes again.
void records_stay_within(const std::string& bytes) {
    const Exact value(bytes);
    static std::string again(value_max, '\0');
    const auto encodes_to_the_same = [&](const auto& record) {
        return std::string_view(again.data(), encode(record, again.data(), again.size())) ==
               value.view();
    };
    TokenRecord token;
    if (decoded(value, token)) {
        for (const std::string_view part :
             {token.id, token.subject, token.organization, token.group, token.role, token.name,
              token.scopes, token.allow}) {
            RC_ASSERT(value.holds(part));
        }
        RC_ASSERT(encodes_to_the_same(token));
    }
    OrganizationRecord organization;
    RC_ASSERT(!decoded(value, organization) || encodes_to_the_same(organization));
    UserRecord user;
    RC_ASSERT(!decoded(value, user) || encodes_to_the_same(user));
    MembershipRecord membership;
    RC_ASSERT(!decoded(value, membership) ||
              (value.holds(membership.role) && encodes_to_the_same(membership)));
    RoleRecord role;
    RC_ASSERT(!decoded(value, role) || (value.holds(role.scopes) && encodes_to_the_same(role)));
    MetaRecord meta;
    RC_ASSERT(
        decode(value.view(), meta) != MetaProblem::none ||
        (value.holds(meta.source) && value.holds(meta.position) && encodes_to_the_same(meta)));
}

// Random bytes, and records with a few of their bytes changed, cut out or put in.
std::string draw_value(Draw& draw) {
    static const std::vector<std::string> values = {
        encoded(plain_record()),
        meta_entry(1).value,
        encoded(OrganizationRecord{true}),
        encoded(UserRecord{true}),
        encoded(MembershipRecord{"admin"}),
        encoded(RoleRecord{"agents:read calls:*"}),
    };
    if (draw.chance(10)) {
        return draw_bytes(draw, 200);
    }
    const std::string& value = draw.of(values);
    return draw.chance(25) ? value : mutated(draw, value);
}

std::string draw_token(Draw& draw) {
    static const std::string letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    std::string token;
    for (std::size_t count = draw.below(40); count > 0; --count) {
        token += letters[draw.below(letters.size())];
    }
    token += std::string(draw.below(3), '=');
    if (draw.chance(3)) {
        token.insert(0, std::string(4060 + draw.below(40), 'x'));
    }
    return token;
}

std::string draw_address(Draw& draw) {
    static const std::vector<std::string> pieces = {"192.0.2.0", "::",  "2001:db8", ":", ".", "/",
                                                    "24",        "128", "ffff",     "0", "1", "%"};
    std::string text;
    for (std::size_t count = draw.below(8); count > 0; --count) {
        text += draw.of(pieces);
    }
    return draw.chance(10) ? draw_bytes(draw, 60) : text;
}

// A block holds its own first address, and none that lies outside of it.
void blocks_hold_their_addresses(const std::string& text) {
    const Exact exact(text);
    Address address;
    const bool is_address = parse_address(exact.view(), address);
    Cidr block{};
    const bool is_block = parse_cidr(exact.view(), block);
    RC_ASSERT(!is_address || is_block);
    if (!is_block) {
        return;
    }
    Address first;
    RC_ASSERT(parse_address(text.substr(0, text.find('/')), first));
    const std::string_view encoded_block(reinterpret_cast<const char*>(block.data()), block.size());
    RC_ASSERT(any_contains(encoded_block, first));
    if (block[1] > 0) {  // another last bit of the prefix
        Address outside = first;
        const unsigned bit = block[1] - 1U;
        outside.bytes[bit / 8] =
            static_cast<std::uint8_t>(outside.bytes[bit / 8] ^ (0x80U >> bit % 8));
        RC_ASSERT(!any_contains(encoded_block, outside));
    }
}

// Shrinks to what is left without any one byte.
std::vector<std::string> shorter(const std::string& text) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < text.size() && i < 300; ++i) {
        all.push_back(text.substr(0, i) + text.substr(i + 1));
    }
    return all;
}

bool holds(const char* name, std::string (*draw_one)(Draw&), void (*property)(const std::string&),
           std::uint64_t seed, std::uint64_t cases) {
    const rc::Gen<std::string> inputs = [draw_one](const rc::Random& random, int) {
        Draw draw(random);
        return rc::shrinkable::shrinkRecur(draw_one(draw), [](const std::string& text) {
            return rc::seq::fromContainer(shorter(text));
        });
    };
    rc::detail::TestParams parameters;
    parameters.seed = seed;
    parameters.maxSuccess = static_cast<int>(cases);
    rc::detail::TestListenerAdapter listener;
    const std::unordered_map<std::string, rc::detail::Reproduce> nothing_to_repeat;
    const auto result =
        rc::detail::checkTestable([&] { property(*inputs); }, rc::detail::TestMetadata{},
                                  parameters, listener, nothing_to_repeat);
    if (result.is<rc::detail::SuccessResult>()) {
        fmt::print("{} cases: {}\n", cases, name);
        return true;
    }
    std::cerr << name << "\n";
    rc::detail::printResultMessage(result, std::cerr);
    std::cerr << "\nto repeat it: TOKEN_AUTH_SEED=" << seed << "\n";
    return false;
}

bool all_hold() {
    const std::uint64_t cases = number_from("TOKEN_AUTH_INPUT_CASES", 100'000);
    const std::uint64_t seed = number_from("TOKEN_AUTH_SEED", std::random_device{}());
    bool all = holds("credentials are token68", draw_field, credentials_are_token68, seed, cases);
    all = holds("tokens are found", draw_token, tokens_are_found, seed, cases) && all;
    all = holds("records stay within", draw_value, records_stay_within, seed, cases) && all;
    all = holds("blocks hold their addresses", draw_address, blocks_hold_their_addresses, seed,
                cases) &&
          all;
    return all;
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    try {
        return token_auth::unit::all_hold() ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
