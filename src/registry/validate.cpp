#include "registry/validate.hpp"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>

#include "base/text.hpp"
#include "base/time.hpp"
#include "registry/token_text.hpp"
#include "token_auth/address.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

using Result = std::optional<Problem>;

constexpr const char* token_rule = "holds a token; tokens never go into a registry";

Result identifier(std::string_view field, std::string_view value) {
    if (!is_identifier(value)) {
        return Problem{std::string(field), identifier_rule};
    }
    // New tokens are short enough to be identifiers.
    if (holds_token(value)) {
        return Problem{std::string(field), token_rule};
    }
    return std::nullopt;
}

Result identifier_or_empty(std::string_view field, std::string_view value) {
    return value.empty() ? std::nullopt : identifier(field, value);
}

Result time(std::string_view field, std::int64_t value) {
    if (value < 0 || value > base::time_max) {
        return Problem{std::string(field), "must be a time from 1970 to 9999"};
    }
    return std::nullopt;
}

// Whether "*", if there is one, is the whole scope or its last part: elsewhere it grants nothing.
bool is_grant(std::string_view scope) {
    const std::size_t star = scope.find('*');
    const bool last = star == scope.size() - 1 && (star == 0 || scope[star - 1] == ':');
    return star == std::string_view::npos || last;
}

Result scopes(const std::vector<std::string>& values) {
    std::size_t size = 0;
    for (const auto& scope : values) {
        if (!is_scope(scope)) {
            return Problem{"scopes",
                           "must be 1 to 128 printable ASCII characters each, without space, "
                           "double quote or backslash"};
        }
        if (holds_token(scope)) {
            return Problem{"scopes", token_rule};
        }
        if (!is_grant(scope)) {
            return Problem{
                "scopes",
                "must not hold a * that stands for nothing: write * alone, or at the end "
                "as in agents:*"};
        }
        size += scope.size() + 1;
    }
    if (size > scopes_max) {
        return Problem{"scopes", fmt::format("must be at most {} bytes in all", scopes_max - 1)};
    }
    return std::nullopt;
}

// The problems of those given.
template <typename... Results>
std::vector<Problem> all(Results... results) {
    std::vector<Problem> found;
    const auto add = [&](Result& result) {
        const auto same = [&](const Problem& each) { return each.field == result->field; };
        if (result && std::none_of(found.begin(), found.end(), same)) {
            found.push_back(std::move(*result));
        }
    };
    (add(results), ...);
    return found;
}

Result wrong_if(bool wrong, const char* field, const char* text) {
    return wrong ? Result(Problem{field, text}) : std::nullopt;
}

Result owner(const Token& token) {
    const bool wanted = token.kind != kind_user;
    return wrong_if(
        wanted == token.organization.empty(), "organization",
        wanted ? "is needed for this kind of token" : "is not for user tokens, which carry none");
}

Result owning_group(const Token& token) {
    const bool wanted = token.kind == kind_group;
    return wrong_if(wanted == token.group.empty(), "group",
                    wanted ? "is needed for a group token" : "is for group tokens only");
}

Result owning_user(const Token& token) {
    return wrong_if(token.kind == kind_user && token.user.empty(), "user",
                    "is needed for a user token");
}

Result own_role(const Token& token) {
    return wrong_if(token.kind == kind_user && !token.role.empty(), "role",
                    "is not for user tokens, whose role is their membership's");
}

Result via(const Token& token) {
    const bool known = token.created_via.empty() ||
                       std::find(std::begin(via_names), std::end(via_names), token.created_via) !=
                           std::end(via_names);
    return wrong_if(!known, "created_via", "must be session, token, auth_token or tokenctl");
}

// A text that people read: a name, a description; empty only if `least` is 0.
Result display_text(const char* field, std::string_view text, std::size_t least, std::size_t max) {
    if (text.size() < least || (!text.empty() && !is_display_text(text, max))) {
        return Problem{field, fmt::format("must be {} {} bytes of {}",
                                          least == 0 ? "at most" : "1 to", max, display_text_rule)};
    }
    if (holds_token(text)) {
        return Problem{field, token_rule};
    }
    return std::nullopt;
}

// ASCII letters and digits, and what else is given; not empty.
bool is_made_of(std::string_view text, std::string_view others) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               others.find(c) != std::string_view::npos;
    });
}

// Part of a host's name.
bool is_label(std::string_view text) {
    constexpr std::size_t label_max = 63;
    return is_made_of(text, "-") && text.size() <= label_max && text.front() != '-' &&
           text.back() != '-';
}

// What stands before the "@": words with a dot between them.
bool is_local_part(std::string_view text) {
    constexpr std::size_t local_max = 64;
    return text.size() <= local_max && is_made_of(text, ".!#$%&'*+/=?^_`{|}~-") &&
           text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos;
}

Result for_people(const User& user, const char* field, const std::string& value) {
    return wrong_if(user.technical && !value.empty(), field,
                    "is for people, not for technical users");
}

Result email(const std::string& value) {
    return wrong_if(!value.empty() && (!is_email(value) || holds_token(value)), "email",
                    "must be an address such as ann@example.org");
}

// A field of HTTP holds no spaces at its ends.
Result sso_name(const std::string& value) {
    if (!value.empty() && (value.front() == ' ' || value.back() == ' ')) {
        return Problem{"sso_name", "must not begin or end with a space"};
    }
    return display_text("sso_name", value, 0, name_max);
}

Result life(const char* field, std::int64_t seconds) {
    return wrong_if(seconds < 0 || seconds > base::time_max, field,
                    "must be a duration of at least a second");
}

Result default_life(const Policy& policy) {
    if (policy.max_life != 0 && policy.default_life > policy.max_life) {
        return Problem{"policy.default_life", "must not be longer than policy.max_life"};
    }
    return life("policy.default_life", policy.default_life);
}

Result max_tokens(const Policy& policy) {
    return wrong_if(policy.max_tokens < 0 || policy.max_tokens > max_tokens_max,
                    "policy.max_tokens", "must be 1 to 1000000000");
}

Result prefix(const Token& token) {
    if (!token.prefix.empty() &&
        (!is_identifier(token.prefix) || token.prefix.size() > prefix_max)) {
        return Problem{"prefix", fmt::format("must be 1 to {} letters, digits, dots, underscores "
                                             "or hyphens",
                                             prefix_max)};
    }
    return std::nullopt;
}

Result blocks(const std::vector<std::string>& allow) {
    if (allow.size() > allow_max) {
        return Problem{"allow", fmt::format("must be at most {} blocks", allow_max)};
    }
    for (const auto& block : allow) {
        Cidr encoded{};
        if (!parse_cidr(block, encoded)) {
            return Problem{"allow",
                           "must be addresses or CIDR blocks such as 192.0.2.0/24 or "
                           "2001:db8::/32, with no bits set behind the prefix"};
        }
    }
    return std::nullopt;
}

int nibble(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool bytes_of_hex(std::string_view text, std::uint8_t* out) {
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const int high = nibble(text[i]);
        const int low = nibble(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i / 2] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

constexpr std::string_view plain_name = "sha256:";
constexpr std::string_view keyed_name = "hmac-sha256:";
constexpr std::size_t key_id_digits = 8;

}  // namespace

std::vector<Problem> problems(const Role& role) {
    return all(identifier("id", role.id),
               wrong_if(role.scopes.empty(), "scopes", "must hold at least one scope"),
               scopes(role.scopes),
               display_text("description", role.description, 0, description_max));
}

std::vector<Problem> problems(const ScopeEntry& entry) {
    Result scope = scopes({entry.scope});
    if (scope) {
        scope->field = "scope";
    }
    return all(std::move(scope),
               display_text("description", entry.description, 0, description_max));
}

std::vector<Problem> problems(const Organization& organization) {
    return all(identifier("id", organization.id), time("created", organization.created),
               display_text("display_name", organization.display_name, 0, name_max),
               life("policy.max_life", organization.policy.max_life),
               default_life(organization.policy), max_tokens(organization.policy));
}

std::vector<Problem> problems(const Group& group) {
    return all(identifier("organization", group.organization), identifier("id", group.id),
               time("created", group.created));
}

std::vector<Problem> problems(const User& user) {
    return all(identifier("id", user.id), time("created", user.created),
               for_people(user, "display_name", user.display_name),
               for_people(user, "email", user.email), for_people(user, "sso_name", user.sso_name),
               email(user.email), sso_name(user.sso_name),
               display_text("display_name", user.display_name, 0, name_max));
}

std::vector<Problem> problems(const Membership& membership) {
    return all(identifier("user", membership.user),
               identifier("organization", membership.organization),
               identifier_or_empty("group", membership.group), identifier("role", membership.role),
               time("created", membership.created));
}

std::vector<Problem> problems(const Token& token) {
    return all(identifier("id", token.id), identifier_or_empty("user", token.user),
               identifier_or_empty("organization", token.organization),
               identifier_or_empty("group", token.group), identifier_or_empty("role", token.role),
               identifier_or_empty("predecessor", token.predecessor),
               identifier_or_empty("successor", token.successor), owner(token), owning_group(token),
               owning_user(token), own_role(token), display_text("name", token.name, 1, name_max),
               display_text("description", token.description, 0, description_max), prefix(token),
               scopes(token.scopes), blocks(token.allow), time("created", token.created),
               time("not_before", token.not_before), time("expires", token.expires),
               time("revoked", token.revoked),
               display_text("created_by", token.created_by, 0, actor_max), via(token));
}

std::string technical_user_id(std::string_view token_id) {
    return fmt::format("tu-{}", token_id);
}

bool is_display_text(std::string_view text, std::size_t max) {
    if (text.empty() || text.size() > max || !utf8::is_valid(text.begin(), text.end())) {
        return false;
    }
    bool blank = true;
    for (const char* at = text.data(); at < text.data() + text.size();) {
        const char32_t c = utf8::unchecked::next(at);
        if (base::is_invisible(c)) {
            return false;
        }
        blank = blank && base::is_space(c);
    }
    return !blank;
}

bool is_email(std::string_view text) {
    const std::size_t at = text.find('@');
    if (at == std::string_view::npos || text.size() > email_max) {
        return false;
    }
    std::string_view domain = text.substr(at + 1);
    while (true) {
        const std::size_t dot = domain.find('.');
        if (!is_label(domain.substr(0, dot))) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return is_local_part(text.substr(0, at));
        }
        domain.remove_prefix(dot + 1);
    }
}

std::vector<std::string> canonical(std::vector<std::string> words) {
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

std::vector<std::string> split_words(std::string_view words) {
    std::vector<std::string> out;
    for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
        out.emplace_back(word);
    }
    return out;
}

std::string join_words(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

std::string to_hex(const Digest& digest) {
    std::string out;
    out.reserve(2 * digest.size());
    constexpr std::string_view digits = "0123456789abcdef";
    for (const std::uint8_t byte : digest) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

std::optional<Digest> from_hex(std::string_view text) {
    Digest digest{};
    if (text.size() != 2 * digest.size() || !bytes_of_hex(text, digest.data())) {
        return std::nullopt;
    }
    return digest;
}

std::string format_key_id(KeyId id) {
    return fmt::format("{:08x}", id);
}

std::string format_digest(const TokenDigest& digest) {
    if (digest.key_id == no_key) {
        return std::string(plain_name) + to_hex(digest.bytes);
    }
    return fmt::format("{}{}:{}", keyed_name, format_key_id(digest.key_id), to_hex(digest.bytes));
}

std::optional<TokenDigest> parse_digest(std::string_view text) {
    TokenDigest out;
    if (text.starts_with(keyed_name)) {
        text.remove_prefix(keyed_name.size());
        std::array<std::uint8_t, key_id_digits / 2> id{};
        if (text.size() <= key_id_digits || text[key_id_digits] != ':' ||
            !bytes_of_hex(text.substr(0, key_id_digits), id.data())) {
            return std::nullopt;
        }
        for (const std::uint8_t byte : id) {
            out.key_id = (out.key_id << 8) | byte;
        }
        text.remove_prefix(key_id_digits + 1);
        if (out.key_id == no_key) {
            return std::nullopt;
        }
    } else if (text.starts_with(plain_name)) {
        text.remove_prefix(plain_name.size());
    } else {
        return std::nullopt;
    }
    const auto bytes = from_hex(text);
    if (!bytes) {
        return std::nullopt;
    }
    out.bytes = *bytes;
    return out;
}

}  // namespace token_auth::registry
