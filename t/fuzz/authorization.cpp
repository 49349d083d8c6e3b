// The Authorization field: whatever bytes it holds, what the core makes of it is what the rules
// say, written down here a second time.
#include <algorithm>
#include <string>
#include <vector>

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

const std::string name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+!#$%&'*^`|~";

std::string trimmed(const std::string& text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string::npos
               ? std::string()
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The elements of a list, split at commas outside of quotes.
std::vector<std::string> elements_of(const std::string& list) {
    std::vector<std::string> elements(1);
    bool quoted = false;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == ',' && !quoted) {
            elements.emplace_back();
            continue;
        }
        elements.back() += list[i];
        if (quoted && list[i] == '\\' && i + 1 < list.size()) {
            elements.back() += list[++i];
        } else if (list[i] == '"') {
            quoted = !quoted;
        }
    }
    return elements;
}

// name "=" and at least something that is no "=" behind it.
bool is_parameter(const std::string& element, std::string& name, std::string& value) {
    const std::size_t equals = element.find('=');
    if (equals == std::string::npos) {
        return false;
    }
    name = trimmed(element.substr(0, equals));
    value = trimmed(element.substr(equals + 1));
    return !name.empty() && name.find_first_not_of(name_characters) == std::string::npos &&
           !value.empty() && value[0] != '=';
}

bool begins_with_parameter(const std::string& text) {
    const std::size_t first = text.find_first_not_of(", \t");
    std::string name;
    std::string value;
    return first != std::string::npos && is_parameter(text.substr(first), name, value);
}

// Takes the quotes off. False if it is neither a token nor a quoted-string.
bool unquote(std::string& value) {
    if (value[0] != '"') {
        return value.find_first_not_of(name_characters) == std::string::npos;
    }
    std::size_t end = 1;
    while (end < value.size() && value[end] != '"') {
        end += value[end] == '\\' ? 2 : 1;
    }
    if (end + 1 != value.size()) {
        return false;
    }
    value = value.substr(1, end - 1);
    return true;
}

Expected expected_of_parameters(const std::string& text) {
    std::vector<std::string> tokens;
    for (const std::string& element : elements_of(text)) {
        std::string name;
        std::string value;
        if (trimmed(element).empty()) {
            continue;
        }
        if (!is_parameter(element, name, value) || !unquote(value)) {
            return {CredentialStatus::malformed_request, {}};
        }
        if (name.size() == 5 && starts_with(name, "token")) {
            tokens.push_back(value);
        }
    }
    if (tokens.size() != 1 || tokens[0].empty()) {
        return {CredentialStatus::malformed_request, {}};
    }
    return expected_of_token(tokens[0]);
}

Expected expected_of_token_scheme(const std::string& text) {
    if (begins_with_parameter(text)) {
        return expected_of_parameters(text);
    }
    const std::size_t end = text.find_first_of(" \t,");
    if (end != std::string::npos && expected_token68(text.substr(0, end)) &&
        begins_with_parameter(text.substr(end))) {
        return {CredentialStatus::malformed_request, {}};
    }
    if (text.find_first_not_of(" \t,") == std::string::npos) {
        return {CredentialStatus::malformed_request, {}};
    }
    return expected_of_token(text);
}

Expected expected(const std::string& whole, unsigned schemes) {
    const std::string field = without_spaces(whole);
    const bool bearer = starts_with(field, "bearer");
    const std::string rest = field.substr(std::min<std::size_t>(bearer ? 6 : 5, field.size()));
    const bool name_ends = rest.find_first_of(name_characters) != 0;
    if (!(bearer && (schemes & scheme_bearer) != 0 && name_ends) &&
        !(starts_with(field, "token") && (schemes & scheme_token) != 0 && name_ends)) {
        return {CredentialStatus::missing, {}};
    }
    if (rest.empty() || rest[0] != ' ') {
        return {CredentialStatus::malformed_request, {}};
    }
    const std::string value = without_spaces(rest);
    return bearer ? expected_of_token(value) : expected_of_token_scheme(value);
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
