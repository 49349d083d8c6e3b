#include "token_auth/credential.hpp"

#include "token_auth/char_class.hpp"

namespace token_auth {
namespace {

// tchar of RFC 9110 section 5.6.2. A scheme's name ends at any other byte.
using SchemeChars =
    CharClass<'-', '_', '.', '+', '!', '#', '$', '%', '&', '\'', '*', '^', '`', '|', '~'>;

using Token68Chars = CharClass<'-', '.', '_', '~', '+', '/'>;

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Compares case-insensitively; `word` is in lower case.
bool begins_with(std::string_view text, std::string_view word) noexcept {
    if (text.size() < word.size()) {
        return false;
    }
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (lower(text[i]) != word[i]) {
            return false;
        }
    }
    return true;
}

// The name is in lower case, and letters differ by one bit in case.
template <std::size_t size>
bool has_scheme(std::string_view field, const char (&name)[size]) noexcept {
    constexpr std::size_t letters = size - 1;
    if (field.size() < letters) {
        return false;
    }
    unsigned different = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < letters; ++i) {
        different |= static_cast<unsigned>((field[i] | 0x20) ^ name[i]);
    }
    return different == 0 && (field.size() == letters || !SchemeChars::contains(field[letters]));
}

std::string_view trim_spaces(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

Credential check_token(std::string_view token) noexcept {
    if (!is_token68(token)) {
        return {CredentialStatus::malformed_token, {}};
    }
    return {CredentialStatus::well_formed, token};
}

}  // namespace

bool is_token68(std::string_view text) noexcept {
    if (text.size() > token_max) {
        return false;
    }
    std::size_t end = text.size();
    while (end > 0 && text[end - 1] == '=') {
        --end;
    }
    return end != 0 && Token68Chars::contains_all(text.substr(0, end));
}

Credential parse_authorization(std::string_view field, unsigned schemes) noexcept {
    field = trim_spaces(field);
    constexpr char bearer[] = "bearer";
    constexpr char token[] = "token";
    const bool is_bearer = (schemes & scheme_bearer) != 0 && has_scheme(field, bearer);
    const bool is_token = !is_bearer && (schemes & scheme_token) != 0 && has_scheme(field, token);
    if (!is_bearer && !is_token) {
        return {};
    }

    std::string_view rest = field.substr(is_bearer ? sizeof(bearer) - 1 : sizeof(token) - 1);
    if (rest.empty() || rest.front() != ' ') {
        return {CredentialStatus::malformed_request, {}};
    }
    rest = trim_spaces(rest);

    // Rails clients quote the token. A token68 has no quotes, so this form is unambiguous.
    constexpr std::string_view quoted = "token=\"";
    if (is_token && begins_with(rest, quoted)) {
        rest.remove_prefix(quoted.size());
        if (rest.size() < 2 || rest.find('"') != rest.size() - 1) {
            return {CredentialStatus::malformed_request, {}};
        }
        rest.remove_suffix(1);
    }
    return check_token(rest);
}

Credential parse_bare(std::string_view value) noexcept {
    if (value.empty()) {
        return {};
    }
    return check_token(value);
}

}  // namespace token_auth
