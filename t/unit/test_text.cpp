// Identifiers, scopes, lists of words.
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "token_auth/text.hpp"

namespace token_auth::unit {
namespace {

constexpr std::string_view letters_and_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// Every byte, alone and between two valid ones.
template <typename Accepts>
void every_byte(std::string_view what, Accepts accepts, bool (*test)(std::string_view)) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool expected = accepts(byte);
        for (const std::string& text : {std::string(1, c), std::string("a") + c + "z"}) {
            check_equal(test(text), expected, "{}({})", what, shown(text));
        }
    }
}

bool identifier(std::string_view text) {
    return is_identifier(text) || text == ".";  // which is none alone
}
bool scope(std::string_view text) {
    return is_scope(text);
}

void identifiers() {
    every_byte(
        "is_identifier",
        [](unsigned byte) {
            const char c = static_cast<char>(byte);
            return letters_and_digits.find(c) != std::string_view::npos || c == '.' || c == '_' ||
                   c == '-';
        },
        identifier);
    check(!is_identifier(""), "the empty one");
    check(!is_identifier(std::string_view()), "the one without data");
    check(!is_identifier(".") && !is_identifier("..") && is_identifier("..."), "dots");
    check(is_identifier(std::string(64, 'a')), "64 bytes");
    check(!is_identifier(std::string(65, 'a')), "65 bytes");
}

void scopes() {
    every_byte(
        "is_scope",
        [](unsigned byte) {
            return byte == 0x21 || (byte >= 0x23 && byte <= 0x5b) || (byte >= 0x5d && byte <= 0x7e);
        },
        scope);
    check(!is_scope(""), "the empty one");
    check(is_scope(std::string(128, 'a')), "128 bytes");
    check(!is_scope(std::string(129, 'a')), "129 bytes");
}

void coverage() {
    const struct {
        std::string_view granted;
        std::string_view wanted;
        bool covered;
    } rows[] = {
        {"agents:read", "agents:read", true},
        {"agents:read", "agents:rea", false},
        {"agents:read", "agents:read2", false},
        {"agents:read", "Agents:read", false},
        {"agents:*", "agents:read", true},
        {"agents:*", "agents:read:all", true},
        {"agents:*", "agents:*", true},
        {"agents:*", "agents:", true},
        {"agents:*", "agents", false},
        {"agents:*", "agentsread", false},
        {"agents:*", "calls:read", false},
        {"agents:*", "*", false},
        {"agents:*", "", false},
        {"agents:read:*", "agents:read", false},
        {"agents:read:*", "agents:read:all", true},
        {"agents*", "agents:read", false},
        {"a*", "ab", false},
        {"*:read", "agents:read", false},
        {"*", "agents:read", true},
        {"*", "*", true},
        {"*", "auth:tokens:read", false},  // reserved
        {"*", "auth:*", false},
        {"*", "auth:", false},
        {"*", "auth", true},
        {"*", "Auth:tokens:read", true},
        {"*", "authors:read", true},
        {"auth:*", "auth:tokens:read", true},
        {"auth:tokens:*", "auth:tokens:read", true},
        {"auth:system", "auth:system", true},
        {"**", "agents:read", false},
        {"a*", "a*", true},
        {":*", ":read", true},
        {":*", "agents:read", false},
    };
    for (const auto& row : rows) {
        check_equal(scope_covers(row.granted, row.wanted), row.covered, "{} covers {}", row.granted,
                    row.wanted);
    }
}

void words() {
    const struct {
        std::string_view list;
        std::vector<std::string_view> words;
    } rows[] = {
        {"", {}},
        {"   ", {}},
        {"a", {"a"}},
        {" a", {"a"}},
        {"a ", {"a"}},
        {"a b", {"a", "b"}},
        {"  a   bc  d ", {"a", "bc", "d"}},
        {"a\tb c", {"a\tb", "c"}},
        {std::string_view("a\0b c", 5), {std::string_view("a\0b", 3), "c"}},
    };
    for (const auto& row : rows) {
        std::string_view rest = row.list;
        std::vector<std::string_view> got;
        for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
            got.push_back(word);
        }
        check(got == row.words, "words of {}", shown(row.list));
        check(next_word(rest).empty(), "the end of {} stays the end", shown(row.list));
    }
}

// They are compared several bytes at a time.
void equality() {
    for (std::size_t size = 0; size <= 40; ++size) {
        const std::string one(size, 'a');
        std::string other = one;
        check(is_equal(one, other), "{} bytes", size);
        check(!is_equal(one, other + 'a'), "{} bytes and one more", size);
        for (std::size_t at = 0; at < size; ++at) {
            other[at] = 'b';
            check(!is_equal(one, other), "{} bytes, of which byte {} differs", size, at);
            other[at] = 'a';
        }
    }
}

void lists_of_grants() {
    check(any_covers("calls:read agents:*", "agents:read"), "the last of two");
    check(any_covers("  agents:*  ", "agents:read"), "one between spaces");
    check(!any_covers("", "agents:read"), "none");
    check(!any_covers("agents:write calls:*", "agents:read"), "two others");
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(identifiers), UNIT_TEST(scopes),          UNIT_TEST(coverage),
        UNIT_TEST(words),       UNIT_TEST(lists_of_grants), UNIT_TEST(equality),
    };
    return cmocka_run_group_tests_name("text", tests, nullptr, nullptr);
}
