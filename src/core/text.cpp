#include "token_auth/text.hpp"

#include "token_auth/char_class.hpp"

namespace token_auth {
namespace {

using IdentifierChars = CharClass<'-', '.', '_'>;

bool is_wildcard_of(std::string_view granted, std::string_view wanted) noexcept {
    if (granted.empty() || granted.back() != '*') {
        return false;
    }
    granted.remove_suffix(1);
    return granted.empty()
               ? !is_reserved(wanted)
               : granted.back() == ':' && is_equal(granted, wanted.substr(0, granted.size()));
}

}  // namespace

bool is_identifier(std::string_view text) noexcept {
    // "." and ".." would be other places in a path.
    return !text.empty() && text.size() <= identifier_max && IdentifierChars::contains_all(text) &&
           text != "." && text != "..";
}

bool is_group(std::string_view text) noexcept {
    const std::size_t slash = text.find('/');
    return slash == std::string_view::npos
               ? is_identifier(text)
               : is_identifier(text.substr(0, slash)) && is_identifier(text.substr(slash + 1));
}

bool is_scope(std::string_view text) noexcept {
    if (text.empty() || text.size() > scope_max) {
        return false;
    }
    for (const char c : text) {
        if (c < 0x21 || c > 0x7e || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

bool is_reserved(std::string_view scope) noexcept {
    constexpr std::string_view managing = "auth:";
    return scope.substr(0, managing.size()) == managing;
}

bool scope_covers(std::string_view granted, std::string_view wanted) noexcept {
    return is_equal(granted, wanted) || is_wildcard_of(granted, wanted);
}

bool any_covers(std::string_view grants, std::string_view wanted) noexcept {
    while (begins_word(grants)) {
        // Most grants have no wildcard: seek their end only if they differ.
        const std::size_t size = wanted.size();
        const bool may_be_it =
            grants.size() == size || (grants.size() > size && grants[size] == ' ');
        if ((may_be_it && is_equal(grants.substr(0, size), wanted)) ||
            is_wildcard_of(next_word(grants), wanted)) {
            return true;
        }
    }
    return false;
}

}  // namespace token_auth
