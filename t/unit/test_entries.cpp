// Values of several entries, as the writer puts them together: equal keys of tokens and of users.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "store_writer/entries.hpp"
#include "store_writer/notes.hpp"
#include "token_auth/record.hpp"

namespace token_auth::store_writer {
namespace {

constexpr std::uint64_t key = 0x55;

// Tokens of one key: `bit` is the digest's bit that the key leaves out, `rest` what follows.
Digest digest_of(unsigned bit, std::uint8_t rest) {
    Digest digest{};
    digest[7] = static_cast<std::uint8_t>(key * 2 + bit);
    digest.back() = rest;
    return digest;
}

std::string token(const Digest& digest, std::string_view id) {
    TokenEntry entry;
    entry.digest = digest;
    entry.id = id;
    entry.organization = "acme";
    entry.organization_number = organization_number("acme");
    entry.name = "n";
    std::array<char, token_entry_max> buffer{};
    return {buffer.data(), encode(entry, false, buffer.data(), buffer.size())};
}

// The ids of a value's tokens, "broken" if a flag does not say what follows.
std::string ids(std::string_view value) {
    std::string all;
    for (TokenView view; !value.empty();) {
        if (!view.parse(value)) {
            return "broken";
        }
        value.remove_prefix(view.bytes().size());
        all += std::string(view.id()) + (view.is_followed() == !value.empty() ? " " : "broken");
    }
    return all;
}

std::string_view bytes(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void tokens_are_sorted_by_digest() {
    const Digest a = digest_of(0, 1);
    const Digest b = digest_of(0, 2);
    const Digest c = digest_of(1, 0);
    std::string value = with_token(key, {}, token(b, "b"));
    value = with_token(key, value, token(c, "c"));
    value = with_token(key, value, token(a, "a"));
    unit::check_equal(ids(value), std::string_view("a b c "), "ids");
    value = with_token(key, value, token(b, "other"));
    unit::check_equal(ids(value), std::string_view("a other c "), "ids");
    value = without_token(value, bytes(c));
    unit::check_equal(ids(value), std::string_view("a other "), "ids");
    value = without_token(value, bytes(digest_of(1, 1)));
    unit::check_equal(ids(value), std::string_view("a other "), "ids");
    value = without_token(without_token(value, bytes(a)), bytes(b));
    unit::check(value.empty(), "the last is gone");
}

std::string user(std::string_view id, std::uint16_t role) {
    const Membership membership{"acme", organization_number("acme"), role};
    std::string value(user_record_size(id, &membership, 1), '\0');
    value.resize(encode_user(id, &membership, 1, value.data(), value.size()));
    return value;
}

void users_of_one_key_stand_side_by_side() {
    std::string value = with_user(with_user({}, user("bob", 1)), user("ann", 2));
    const std::string other_way = with_user(with_user({}, user("ann", 2)), user("bob", 1));
    unit::check(value == other_way, "users");
    value = with_user(value, user("ann", 3));
    unit::check(value == with_user(user("bob", 1), user("ann", 3)), "users");
    unit::check(without_user(value, "ann") == user("bob", 1), "users");
    unit::check(without_user(value, "eve") == value, "users");
    unit::check(without_user(without_user(value, "ann"), "bob").empty(), "users");
}

void notes_are_sorted_by_id() {
    const std::string one = encode_note(note_id("token", "a"), "is bad");
    const std::string two = encode_note(note_id("role", "a"), "is worse");
    const std::string value = with_note(with_note({}, one), two);
    unit::check(value == with_note(with_note({}, two), one), "whatever came first");
    unit::check(value == std::min(one, two) + std::max(one, two), "in the order of their bytes");
    const std::string other = encode_note(note_id("token", "a"), "is good");
    unit::check(with_note(value, other) == with_note(with_note({}, two), other), "replaced");
    unit::check(without_note(value, note_id("token", "a")) == two, "erased");
    unit::check(without_note(two, note_id("role", "a")).empty(), "all");
    unit::check(without_note(two, note_id("role", "b")) == two, "of another id");
    Note note;
    unit::check(note.parse(one) && note.text == "is bad" && note.bytes == one, "read");
    unit::check(!note.parse(one.substr(0, one.size() - 1)), "cut");
    unit::check(encode_note(note_id("token", "a"), std::string(5000, 'x')).size() < 1100, "long");
    const std::uint64_t note_at = note_key(note_id("token", "a"));
    unit::check(note_at >= first_note_key && note_at < first_role_key, "among their keys");
}

}  // namespace
}  // namespace token_auth::store_writer

int main() {
    using namespace token_auth::store_writer;
    const CMUnitTest tests[] = {
        UNIT_TEST(tokens_are_sorted_by_digest),
        UNIT_TEST(users_of_one_key_stand_side_by_side),
        UNIT_TEST(notes_are_sorted_by_id),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
