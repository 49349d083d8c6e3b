#include "token_auth/credential.hpp"

#include "token_auth/char_class.hpp"
#include "token_auth/load.hpp"

namespace token_auth {
namespace {

// tchar of RFC 9110 section 5.6.2. A scheme's name ends at any other byte.
using TokenChars =
    CharClass<'-', '_', '.', '+', '!', '#', '$', '%', '&', '\'', '*', '^', '`', '|', '~'>;

using Token68Chars = CharClass<'-', '.', '_', '~', '+', '/'>;

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Compares case-insensitively; `word` is in lower case.
bool equals(std::string_view text, std::string_view word) noexcept {
    if (text.size() != word.size()) {
        return false;
    }
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (lower(text[i]) != word[i]) {
            return false;
        }
    }
    return true;
}

// Whether it begins with a name of at least four letters, which is in lower case. Letters differ by
// one bit in case: compares the first and the last four.
template <std::size_t size>
bool begins_with(std::string_view field, const char (&name)[size]) noexcept {
    constexpr std::size_t letters = size - 1;
    if (field.size() < letters) {
        return false;
    }
    const auto differ = [&](std::size_t at) {
        constexpr std::uint32_t case_bits = 0x20202020;
        return (load<std::uint32_t>(field.data() + at) | case_bits) ^
               load<std::uint32_t>(name + at);
    };
    return (differ(0) | differ(letters - 4)) == 0;
}

std::string_view without_leading_spaces(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    return text;
}

std::string_view without_trailing_spaces(std::string_view text) noexcept {
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

[[gnu::always_inline]] inline bool holds_token68(std::string_view text) noexcept {
    if (text.size() > token_max) {
        return false;
    }
    std::size_t end = text.size();
    while (end > 0 && text[end - 1] == '=') {
        --end;
    }
    return end != 0 && Token68Chars::contains_all({text.data(), end});
}

[[gnu::always_inline]] inline Credential check_token(std::string_view token) noexcept {
    if (!holds_token68(token)) {
        return {CredentialStatus::malformed_token, {}};
    }
    return {CredentialStatus::well_formed, token};
}

// auth-params, from left to right.
class Parameters {
  public:
    explicit Parameters(std::string_view text) noexcept : rest_(text) {}

    // Skips white space and the commas between elements, which may be empty. False if nothing is
    // left.
    bool next() noexcept {
        skip([](char c) { return is_space(c) || c == ','; });
        return !rest_.empty();
    }

    // Takes "name =", and white space around. False if there is none, or no value behind.
    bool take_name(std::string_view& name) noexcept {
        name = take_token();
        skip(is_space);
        if (name.empty() || rest_.empty() || rest_.front() != '=') {
            return false;
        }
        rest_.remove_prefix(1);
        skip(is_space);
        return !rest_.empty() && rest_.front() != '=';
    }

    // Takes a value up to the next comma or the end. The content of a quoted-string stays as it is
    // written: a token needs no escapes. False if the syntax is broken.
    bool take_value(std::string_view& value) noexcept {
        if (rest_.front() == '"') {
            if (!take_quoted(value)) {
                return false;
            }
        } else {
            value = take_token();
            if (value.empty()) {
                return false;
            }
        }
        skip(is_space);
        return rest_.empty() || rest_.front() == ',';
    }

  private:
    static bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

    template <typename Predicate>
    void skip(Predicate skips) noexcept {
        while (!rest_.empty() && skips(rest_.front())) {
            rest_.remove_prefix(1);
        }
    }

    std::string_view take_token() noexcept {
        std::size_t size = 0;
        while (size < rest_.size() && TokenChars::contains(rest_[size])) {
            ++size;
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    // False without a closing quote.
    bool take_quoted(std::string_view& content) noexcept {
        std::size_t end = 1;
        while (end < rest_.size() && rest_[end] != '"') {
            end += rest_[end] == '\\' ? 2 : 1;
        }
        if (end >= rest_.size()) {
            return false;
        }
        content = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return true;
    }

    std::string_view rest_;
};

bool begins_parameter(std::string_view text) noexcept {
    Parameters parameters(text);
    std::string_view name;
    return parameters.next() && parameters.take_name(name);
}

Credential parse_parameters(std::string_view text) noexcept {
    constexpr Credential malformed = {CredentialStatus::malformed_request, {}};
    Parameters parameters(text);
    std::string_view token;
    bool has_token = false;
    while (parameters.next()) {
        std::string_view name;
        std::string_view value;
        if (!parameters.take_name(name) || !parameters.take_value(value)) {
            return malformed;
        }
        if (equals(name, "token")) {
            if (has_token) {
                return malformed;
            }
            has_token = true;
            token = value;
        }
    }
    return token.empty() ? malformed : check_token(token);
}

// What follows the scheme Token: a token68, or parameters of which one is the token, as Rails
// clients write it.
[[gnu::noinline]] Credential parse_token_scheme(std::string_view text) noexcept {
    if (begins_parameter(text)) {
        return parse_parameters(text);
    }
    const std::size_t size = text.find_first_of(" \t,");
    const bool has_parameters = size != std::string_view::npos &&
                                is_token68(text.substr(0, size)) &&
                                begins_parameter(text.substr(size));
    const bool is_empty = text.find_first_not_of(" \t,") == std::string_view::npos;
    return has_parameters || is_empty ? Credential{CredentialStatus::malformed_request, {}}
                                      : check_token(text);
}

}  // namespace

bool is_token68(std::string_view text) noexcept {
    return holds_token68(text);
}

Credential parse_authorization(std::string_view field, unsigned schemes) noexcept {
    field = without_trailing_spaces(without_leading_spaces(field));
    constexpr char bearer[] = "bearer";
    constexpr char token[] = "token";
    const bool is_bearer = (schemes & scheme_bearer) != 0 && begins_with(field, bearer);
    if (!is_bearer && ((schemes & scheme_token) == 0 || !begins_with(field, token))) {
        return {};
    }
    const std::string_view rest = field.substr(is_bearer ? sizeof(bearer) - 1 : sizeof(token) - 1);
    if (rest.empty() || rest.front() != ' ') {
        if (!rest.empty() && TokenChars::contains(rest.front())) {
            return {};  // the name of another scheme, which begins like this one's
        }
        return {CredentialStatus::malformed_request, {}};
    }
    const std::string_view value = without_leading_spaces(rest);
    if (!is_bearer) {
        return parse_token_scheme(value);
    }
    return check_token(value);
}

std::string_view claimed_id(std::string_view token) noexcept {
    constexpr std::size_t sizes[] = {11, 16};  // of today's tokens, and of those of 0.1
    const std::size_t dot = token.rfind('.');
    if (dot == std::string_view::npos || !CharClass<>::contains_all(token.substr(dot + 1))) {
        return {};
    }
    for (const std::size_t size : sizes) {
        if (dot > size && token[dot - size - 1] == '_' &&
            CharClass<>::contains_all(token.substr(dot - size, size))) {
            return token.substr(dot - size, size);
        }
    }
    return {};
}

Credential parse_bare(std::string_view value) noexcept {
    if (value.empty()) {
        return {};
    }
    return check_token(value);
}

}  // namespace token_auth
