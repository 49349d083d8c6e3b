// The Authorization field, as clients send it and as they should not.
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "check.hpp"
#include "token_auth/credential.hpp"

namespace token_auth::unit {
namespace {

constexpr unsigned both = scheme_bearer | scheme_token;

constexpr std::string_view token68_bytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";

std::string_view name_of(CredentialStatus status) {
    switch (status) {
        case CredentialStatus::missing:
            return "nothing";
        case CredentialStatus::well_formed:
            return "token";
        case CredentialStatus::malformed_request:
            return "malformed_request";
        case CredentialStatus::malformed_token:
            return "malformed_token";
    }
    return "?";
}

// Parses a copy of its own size, so that reading beyond it is seen by the sanitizers.
void expect(std::string_view field, unsigned schemes, CredentialStatus status,
            std::string_view token = {}) {
    const std::unique_ptr<char[]> copy(new char[field.size()]);
    if (!field.empty()) {
        std::memcpy(copy.get(), field.data(), field.size());
    }
    const Credential got = parse_authorization({copy.get(), field.size()}, schemes);
    check_equal(name_of(got.status), name_of(status), "{} of schemes {}", shown(field), schemes);
    check_equal(got.token, token, "the token in {}", shown(field));
}

void good_fields() {
    const struct {
        std::string_view field;
        std::string_view token;
    } rows[] = {
        {"Bearer abc", "abc"},          {"bearer abc", "abc"},
        {"BEARER abc", "abc"},          {"bEaReR abc", "abc"},
        {"Token abc", "abc"},           {"tOKEN abc", "abc"},
        {"Bearer   abc", "abc"},        {"Bearer abc   ", "abc"},
        {"  Bearer abc", "abc"},        {"Bearer a", "a"},
        {"Bearer abc=", "abc="},        {"Bearer abc==========", "abc=========="},
        {"Bearer -._~+/", "-._~+/"},    {"Bearer Bearer", "Bearer"},
        {"Bearer ak_1.x", "ak_1.x"},    {"Token token=\"abc\"", "abc"},
        {"Token Token=\"abc\"", "abc"}, {"token   TOKEN=\"abc==\"  ", "abc=="},
        {"Token token=", "token="},     {"Bearer token=", "token="},
    };
    for (const auto& row : rows) {
        expect(row.field, both, CredentialStatus::well_formed, row.token);
    }
}

void parameters() {
    const struct {
        std::string_view parameters;
        CredentialStatus status;
        std::string_view token;
    } rows[] = {
        {R"(token="T", nonce="x")", CredentialStatus::well_formed, "T"},
        {R"(token="T",nonce="x")", CredentialStatus::well_formed, "T"},
        {R"(nonce="x", token="T")", CredentialStatus::well_formed, "T"},
        {R"(nonce="", token="T")", CredentialStatus::well_formed, "T"},
        {R"(nonce="a\"b, token=", token="T")", CredentialStatus::well_formed, "T"},
        {R"(nonce=a,TOKEN=T)", CredentialStatus::well_formed, "T"},
        {R"(token=T)", CredentialStatus::well_formed, "T"},
        {R"(token=ak_1.x~)", CredentialStatus::well_formed, "ak_1.x~"},
        {R"(token="a/b+c==")", CredentialStatus::well_formed, "a/b+c=="},
        {"token \t=\t \"T\"", CredentialStatus::well_formed, "T"},
        {"token\t= T\t, nonce = x", CredentialStatus::well_formed, "T"},
        {R"(, ,token="T",,)", CredentialStatus::well_formed, "T"},
        {R"(nonce="x", nonce="y", token=T)", CredentialStatus::well_formed, "T"},
        {R"(tokens="x", token=T)", CredentialStatus::well_formed, "T"},
        {R"(token="T", token="T")", CredentialStatus::malformed_request, {}},
        {R"(token="", token="T")", CredentialStatus::malformed_request, {}},
        {R"(token=T, Token=U)", CredentialStatus::malformed_request, {}},
        {R"(nonce="x")", CredentialStatus::malformed_request, {}},
        {R"(token="T"; nonce="x")", CredentialStatus::malformed_request, {}},
        {R"(token=T; nonce=x)", CredentialStatus::malformed_request, {}},
        {R"(token=T;nonce=x)", CredentialStatus::malformed_request, {}},
        {R"(token="T" nonce="x")", CredentialStatus::malformed_request, {}},
        {R"(token=T nonce=x)", CredentialStatus::malformed_request, {}},
        {R"(token=, nonce=x)", CredentialStatus::malformed_request, {}},
        {R"(nonce=x, token)", CredentialStatus::malformed_request, {}},
        {R"(nonce=x, token=)", CredentialStatus::malformed_request, {}},
        {R"(nonce=x, T)", CredentialStatus::malformed_request, {}},
        {R"(nonce=x, token==T)", CredentialStatus::malformed_request, {}},
        {R"(token="T\")", CredentialStatus::malformed_request, {}},
        {R"(token=T/U)", CredentialStatus::malformed_request, {}},
        {R"(T, nonce="x")", CredentialStatus::malformed_request, {}},
        {R"(T,nonce=x)", CredentialStatus::malformed_request, {}},
        {R"(T nonce="x")", CredentialStatus::malformed_request, {}},
        {R"(T==, token="U")", CredentialStatus::malformed_request, {}},
        {R"(abc=def)", CredentialStatus::malformed_request, {}},
        {R"(,)", CredentialStatus::malformed_request, {}},
        {R"(, ,)", CredentialStatus::malformed_request, {}},
        {R"(token="a\b")", CredentialStatus::malformed_token, {}},
        {R"(T, U)", CredentialStatus::malformed_token, {}},
        {R"(T,)", CredentialStatus::malformed_token, {}},
        {R"(abc==x)", CredentialStatus::malformed_token, {}},
    };
    for (const auto& row : rows) {
        expect("Token " + std::string(row.parameters), both, row.status, row.token);
        // Bearer takes none.
        const Credential got = parse_authorization("Bearer " + std::string(row.parameters), both);
        check_equal(name_of(got.status), name_of(CredentialStatus::malformed_token), "Bearer {}",
                    row.parameters);
    }
}

void broken_fields() {
    const struct {
        std::string_view field;
        CredentialStatus status;
    } rows[] = {
        {"Bearer", CredentialStatus::malformed_request},
        {"Bearer ", CredentialStatus::malformed_request},
        {"Bearer     ", CredentialStatus::malformed_request},
        {"token", CredentialStatus::malformed_request},
        {"Token  ", CredentialStatus::malformed_request},
        {"Token token=\"", CredentialStatus::malformed_request},
        {"Token token=\"\"", CredentialStatus::malformed_request},
        {"Token token=\"abc", CredentialStatus::malformed_request},
        {"Token token=\"abc\"x", CredentialStatus::malformed_request},
        {"Token token=\"abc\" x", CredentialStatus::malformed_request},
        {"Token token=\"abc\"\"", CredentialStatus::malformed_request},
        {"Token token=\"a\"b\"", CredentialStatus::malformed_request},
        {"Token token=\"a b\"", CredentialStatus::malformed_token},
        {"Token token=\"=\"", CredentialStatus::malformed_token},
        {"Bearer token=\"abc\"", CredentialStatus::malformed_token},
        {"Bearer abc def", CredentialStatus::malformed_token},
        {"Bearer abc, Bearer def", CredentialStatus::malformed_token},
        {"Bearer =", CredentialStatus::malformed_token},
        {"Bearer =abc", CredentialStatus::malformed_token},
        {"Bearer a=b", CredentialStatus::malformed_token},
        {"Bearer \tabc", CredentialStatus::malformed_token},
        {"Bearer abc\t", CredentialStatus::malformed_token},
        {"Bearer \"abc\"", CredentialStatus::malformed_token},
    };
    for (const auto& row : rows) {
        expect(row.field, both, row.status);
    }
}

void other_schemes() {
    const std::string_view fields[] = {
        "",
        " ",
        "     ",
        "Basic YWxhZGRpbjpvcGVuc2VzYW1l",
        "Digest username=\"x\"",
        "Basic",
        "Bearerabc",
        "BearerX abc",
        "XBearer abc",
        "Bear abc",
        "Bearer-2 abc",
        "Tokens abc",
        "Negotiate abc==",
        "abc",
        "ak_1.secret",
        "\"Bearer\" abc",
        ", Bearer abc",
        "\tBearer abc",
        std::string_view("\0Bearer abc", 11),
        "\xff",
    };
    for (const std::string_view field : fields) {
        expect(field, both, CredentialStatus::missing);
    }
    const Credential got = parse_authorization(std::string_view(), both);
    check_equal(name_of(got.status), name_of(CredentialStatus::missing), "a field without data");
}

void accepted_schemes() {
    expect("Bearer abc", scheme_bearer, CredentialStatus::well_formed, "abc");
    expect("Token abc", scheme_token, CredentialStatus::well_formed, "abc");
    expect("Token abc", scheme_bearer, CredentialStatus::missing);
    expect("Bearer abc", scheme_token, CredentialStatus::missing);
    expect("Bearer", scheme_token, CredentialStatus::missing);
    expect("Token token=\"", scheme_bearer, CredentialStatus::missing);
    expect("Bearer abc", 0, CredentialStatus::missing);
    expect("Token abc", 0, CredentialStatus::missing);
}

// Every byte at the beginning of a token, inside of it, and at its end.
void every_byte_in_a_token() {
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool in_token68 = token68_bytes.find(c) != std::string_view::npos;
        const std::string inside = std::string("ab") + c + "cd";
        expect("Bearer " + inside, both,
               in_token68 ? CredentialStatus::well_formed : CredentialStatus::malformed_token,
               in_token68 ? std::string_view(inside) : std::string_view());

        const std::string last = std::string("ab") + c;
        const bool last_ok = in_token68 || c == '=';
        expect(
            "Bearer " + last, both,
            last_ok || c == ' ' ? CredentialStatus::well_formed : CredentialStatus::malformed_token,
            last_ok    ? std::string_view(last)
            : c == ' ' ? std::string_view("ab")
                       : std::string_view());

        const std::string first = c + std::string("ab");
        expect("Bearer " + first, both,
               in_token68 || c == ' ' ? CredentialStatus::well_formed
                                      : CredentialStatus::malformed_token,
               in_token68 ? std::string_view(first)
               : c == ' ' ? std::string_view("ab")
                          : std::string_view());

        check_equal(is_token68(inside), in_token68, "is_token68({})", shown(inside));
        check_equal(is_token68(std::string(1, c)), in_token68, "is_token68 of byte {}", byte);
    }
}

// They are checked several at a time.
void a_byte_at_every_place() {
    for (std::size_t size = 1; size <= 70; ++size) {
        std::string token(size, 'a');
        check(is_token68(token), "{} bytes", size);
        for (std::size_t at = 0; at < size; ++at) {
            token[at] = ',';
            check(!is_token68(token), "a comma among {} bytes, at {}", size, at);
            token[at] = 'a';
        }
    }
}

// Every byte right behind a scheme: only a space parts it from the token.
void every_byte_after_the_scheme() {
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const std::string field = std::string("Bearer") + c + "abc";
        const Credential got = parse_authorization(field, both);
        if (c == ' ') {
            check_equal(got.token, std::string_view("abc"), "a space after the scheme");
        } else {
            check(got.status == CredentialStatus::missing ||
                      got.status == CredentialStatus::malformed_request,
                  "byte {} after the scheme: {}", byte, name_of(got.status));
            check(got.token.empty(), "byte {} after the scheme: a token", byte);
        }
    }
}

void lengths() {
    for (const std::size_t length :
         {std::size_t{1}, token_max - 1, token_max, token_max + 1, token_max * 2}) {
        const bool fits = length <= 4096;
        const CredentialStatus status =
            fits ? CredentialStatus::well_formed : CredentialStatus::malformed_token;
        for (const std::string& token :
             {std::string(length, 'a'), std::string("a").append(length - 1, '=')}) {
            const std::string_view expected = fits ? std::string_view(token) : std::string_view();
            expect("Bearer " + token, both, status, expected);
            expect("Token token=\"" + token + "\"", both, status, expected);
            expect("Bearer   " + token + "   ", both, status, expected);
            check_equal(name_of(parse_bare(token).status), name_of(status),
                        "a bare token of {} bytes", length);
            check_equal(is_token68(token), fits, "is_token68 of {} bytes", length);
        }
    }
}

void claimed_ids() {
    const struct {
        std::string_view token;
        std::string_view id;
    } rows[] = {
        {"ak_0123456789a.Secret", "0123456789a"},
        {"pat_0123456789abcdef.Secret", "0123456789abcdef"},
        {"my_ak_0123456789a.S", "0123456789a"},
        {"_0123456789a.S", "0123456789a"},
        {"ak_0123456789a.", "0123456789a"},
        {"0123456789a.Secret", ""},
        {"ak-0123456789a.Secret", ""},
        {"ak_0123456789.Secret", ""},
        {"ak_0123456789ab.Secret", ""},
        {"ak_012345_789a.Secret", ""},
        {"ak_0123456789a.Sec-ret", ""},
        {"ak_0123456789aSecret", ""},
        {"nobody-token", ""},
        {".", ""},
        {"", ""},
    };
    for (const auto& row : rows) {
        check_equal(claimed_id(row.token), row.id, "the id in {}", shown(row.token));
    }
}

void bare_values() {
    const struct {
        std::string_view value;
        CredentialStatus status;
    } rows[] = {
        {"", CredentialStatus::missing},
        {"abc", CredentialStatus::well_formed},
        {"abc==", CredentialStatus::well_formed},
        {" abc", CredentialStatus::malformed_token},
        {"abc ", CredentialStatus::malformed_token},
        {" ", CredentialStatus::malformed_token},
        {"Bearer abc", CredentialStatus::malformed_token},
        {"=", CredentialStatus::malformed_token},
        {"a,b", CredentialStatus::malformed_token},
        {std::string_view("a\0b", 3), CredentialStatus::malformed_token},
        {"\xc3\xa4", CredentialStatus::malformed_token},
    };
    for (const auto& row : rows) {
        const Credential got = parse_bare(row.value);
        check_equal(name_of(got.status), name_of(row.status), "bare {}", shown(row.value));
        check_equal(got.token,
                    row.status == CredentialStatus::well_formed ? row.value : std::string_view(),
                    "the token in bare {}", shown(row.value));
    }
    check_equal(name_of(parse_bare(std::string_view()).status), name_of(CredentialStatus::missing),
                "a value without data");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(good_fields),
        UNIT_TEST(parameters),
        UNIT_TEST(claimed_ids),
        UNIT_TEST(broken_fields),
        UNIT_TEST(other_schemes),
        UNIT_TEST(accepted_schemes),
        UNIT_TEST(every_byte_in_a_token),
        UNIT_TEST(a_byte_at_every_place),
        UNIT_TEST(every_byte_after_the_scheme),
        UNIT_TEST(lengths),
        UNIT_TEST(bare_values),
    };
    return cmocka_run_group_tests_name("credential", tests, nullptr, nullptr);
}
