// The Authorization field: whatever bytes it holds, what the core makes of it is what the rules
// say, written down here a second time.
#include <algorithm>
#include <string>

#include "fuzz.hpp"
#include "token_auth/credential.hpp"

namespace token_auth::fuzz {
namespace {

bool expected_token68(const std::string& text) {
    const std::size_t last = text.find_last_not_of('=');
    return last != std::string::npos && text.size() <= 4096 &&
           text.substr(0, last + 1)
                   .find_first_not_of(
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") ==
               std::string::npos;
}

std::string without_spaces(const std::string& text) {
    const std::size_t first = text.find_first_not_of(' ');
    return first == std::string::npos ? std::string()
                                      : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool starts_with(const std::string& text, const std::string& lower_case) {
    return text.size() >= lower_case.size() &&
           std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
           });
}

struct Expected {
    CredentialStatus status;
    std::string token;
};

Expected expected_of_token(const std::string& token) {
    return expected_token68(token) ? Expected{CredentialStatus::well_formed, token}
                                   : Expected{CredentialStatus::malformed_token, {}};
}

Expected expected(const std::string& whole, unsigned schemes) {
    const std::string field = without_spaces(whole);
    const bool bearer = starts_with(field, "bearer");
    const std::string rest = field.substr(std::min<std::size_t>(bearer ? 6 : 5, field.size()));
    const bool name_ends = rest.find_first_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+!"
                               "#$%&'*^`|~") != 0;
    if (!(bearer && (schemes & scheme_bearer) != 0 && name_ends) &&
        !(starts_with(field, "token") && (schemes & scheme_token) != 0 && name_ends)) {
        return {CredentialStatus::missing, {}};
    }
    if (rest.empty() || rest[0] != ' ') {
        return {CredentialStatus::malformed_request, {}};
    }
    const std::string value = without_spaces(rest);
    if (bearer || !starts_with(value, "token=\"")) {
        return expected_of_token(value);
    }
    const std::string quoted = value.substr(7);
    const std::size_t quote = quoted.find('"');
    if (quote == std::string::npos || quote == 0 || quote + 1 != quoted.size()) {
        return {CredentialStatus::malformed_request, {}};
    }
    return expected_of_token(quoted.substr(0, quote));
}

void check(const Credential& got, const Expected& wanted, const Exact& exact) {
    require(got.status == wanted.status, "the status");
    require(got.token == wanted.token, "the token");
    require(exact.holds(got.token), "the token points into the field");
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace token_auth::fuzz;
    const Exact exact(text_of(data, size));
    const std::string text(exact.view());
    for (unsigned schemes = 0; schemes < 4; ++schemes) {
        check(token_auth::parse_authorization(exact.view(), schemes), expected(text, schemes),
              exact);
    }
    const Expected bare = text.empty() ? Expected{token_auth::CredentialStatus::missing, {}}
                                       : expected_of_token(text);
    check(token_auth::parse_bare(exact.view()), bare, exact);
    require(token_auth::is_token68(exact.view()) == expected_token68(text), "is_token68()");
    return 0;
}
