// What may get into a registry. Everything that writes one checks by these first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/model.hpp"

namespace token_auth::registry {

inline constexpr std::size_t description_max = 1000;  // bytes of UTF-8
inline constexpr std::size_t email_max = 254;         // bytes; RFC 5321 section 4.5.3.1.3
inline constexpr std::size_t prefix_max = 16;         // bytes of a token's prefix
inline constexpr std::size_t actor_max = 255;         // bytes of an actor's name
inline constexpr std::int64_t max_tokens_max = 1000000000;

// What is wrong with an entity: the field (its name in JSON Lines) and one clause such as
// "must be 1 to 255 bytes". The clause holds none of the field's value. A field within another is
// named "policy.max_life".
struct Problem {
    std::string field;
    std::string text;
    std::string rule = {};  // of a policy, if it is that which is broken: "max_life"
};

// All that is wrong with one entity by itself, each field once; whether what it names exists is the
// registry's to say. Members that may be left out (created, a token's user) may be empty.
std::vector<Problem> problems(const Role& role);
std::vector<Problem> problems(const ScopeEntry& entry);
std::vector<Problem> problems(const Organization& organization);
std::vector<Problem> problems(const Group& group);
std::vector<Problem> problems(const User& user);
std::vector<Problem> problems(const Membership& membership);
std::vector<Problem> problems(const Token& token);

// The first of them.
template <typename T>
std::optional<Problem> check(const T& entity) {
    auto found = problems(entity);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

// The clause for a text that is no identifier.
inline constexpr const char* identifier_rule =
    "must be 1 to 64 letters, digits, dots, underscores or hyphens, and not . or ..";

// The technical user of an organization's or group's token that names none; no identifier if the
// token's id is too long for that, for which there is a clause.
std::string technical_user_id(std::string_view token_id);
inline constexpr const char* technical_user_too_long =
    "id is too long for its technical user to be named tu-<id>; name one in \"user\"";

// Whether it is 1 to `max` bytes of UTF-8 without what a reader would not see (base::is_invisible),
// and not only spaces.
bool is_display_text(std::string_view text, std::size_t max);
inline constexpr const char* display_text_rule =
    "UTF-8 without control or invisible characters, not only spaces";

// Whether it is an address as browsers take it, of at most `email_max` bytes, with single dots.
// Source: WHATWG HTML, "valid email address"; RFC 5321 section 4.1.2, Dot-string.
bool is_email(std::string_view text);

// Sorted, without repetitions.
std::vector<std::string> canonical(std::vector<std::string> words);
// Words separated by spaces, in the order given.
std::vector<std::string> split_words(std::string_view words);
std::string join_words(const std::vector<std::string>& words);

// A digest as JSON Lines writes it (see TokenDigest).
std::string format_digest(const TokenDigest& digest);
std::optional<TokenDigest> parse_digest(std::string_view text);
// 8 lower-case hex digits.
std::string format_key_id(KeyId id);
// 32 bytes as 64 lower-case hex digits, as the registry's tables hold them.
std::string to_hex(const Digest& digest);
std::optional<Digest> from_hex(std::string_view text);

}  // namespace token_auth::registry
