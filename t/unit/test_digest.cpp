// Digests against published vectors, and their keys.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "check.hpp"
#include "token_auth/digest.hpp"

namespace token_auth::unit {
namespace {

std::string hex(const Digest& digest) {
    std::string text;
    for (const std::uint8_t byte : digest) {
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

std::string plain(Digester& digester, std::string_view text) {
    Digest digest{};
    return digester.plain(text, digest) ? hex(digest) : "failed";
}

std::string keyed(Digester& digester, std::size_t index, std::string_view text) {
    Digest digest{};
    return digester.keyed(index, text, digest) ? hex(digest) : "failed";
}

// NIST, "SHA-256 example" and the vectors for FIPS 180-2.
void sha256_vectors() {
    const struct {
        std::string text;
        std::string_view digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {std::string(1'000'000, 'a'),
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    Digester digester;
    check(digester.init(), "init");
    for (int round = 0; round < 2; ++round) {  // contexts are used again
        for (const auto& row : rows) {
            check_equal(plain(digester, row.text), row.digest, "SHA-256 of {}", shown(row.text));
        }
    }
}

// RFC 4231, the cases whose key is long enough to be a key here.
void hmac_vectors() {
    const std::string key(131, '\xaa');
    const struct {
        std::string_view text;
        std::string_view digest;
    } rows[] = {
        {"Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"This is a test using a larger than block-size key and a larger than block-size data. "
         "The key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    Digester digester;
    check(digester.init(), "init");
    check(digester.add_key(key), "take the key in");
    for (int round = 0; round < 2; ++round) {
        for (const auto& row : rows) {
            check_equal(keyed(digester, 0, row.text), row.digest, "HMAC of {}", shown(row.text));
        }
    }
}

// HMAC pads keys with zero bytes up to a block, so a key of RFC 4231 that is too short here gives
// the same digest once padded (case 2, "Jefe").
void hmac_of_a_padded_key() {
    Digester digester;
    check(digester.init(), "init");
    check(digester.add_key(std::string("Jefe").append(28, '\0')), "take the key in");
    check_equal(
        keyed(digester, 0, "what do ya want for nothing?"),
        std::string_view("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        "case 2");
}

void several_keys() {
    Digester digester;
    check(digester.init(), "init");
    std::string alone[keys_max];
    for (std::size_t i = 0; i < keys_max; ++i) {
        const std::string key(key_min, static_cast<char>('a' + i));
        Digester single;
        check(single.init() && single.add_key(key), "key {} alone", i);
        alone[i] = keyed(single, 0, "token");
        check(digester.add_key(key), "key {}", i);
        check_equal(digester.key_id(i), single.key_id(0), "the id of key {}", i);
        check(digester.key_id(i) != no_key, "the id of key {} is that of no key", i);
        for (std::size_t j = 0; j < i; ++j) {
            check(digester.key_id(i) != digester.key_id(j), "keys {} and {} share an id", i, j);
        }
    }
    check_equal(digester.key_count(), keys_max, "number of keys");
    check(!digester.add_key(std::string(key_min, 'z')), "one key too many");
    check_equal(digester.key_count(), keys_max, "number of keys after a refusal");
    const std::string before = plain(digester, "token");
    for (std::size_t i = keys_max; i-- > 0;) {  // one after the other, in turns with plain ones
        check_equal(keyed(digester, i, "token"), alone[i], "under key {}", i);
        check_equal(plain(digester, "token"), before, "plain, after key {}", i);
    }
    check_equal(keyed(digester, keys_max, "token"), std::string("failed"), "a key that is none");
}

// The id is an HMAC of a label. Stores hold it, so it must not change.
void key_ids_stay() {
    Digester digester;
    check(digester.init(), "init");
    check(digester.add_key("0123456789abcdef0123456789abcdef"), "take the key in");
    const std::string label = keyed(digester, 0, "token-auth key id");
    check_equal(fmt::format("{:08x}", digester.key_id(0)), label.substr(0, 8), "id of the key");
    check_equal(label.substr(0, 8), std::string("14505cb9"), "id of the key");
}

void lengths_of_keys() {
    const struct {
        std::size_t length;
        bool taken;
    } rows[] = {{0, false},      {1, false},      {key_min - 1, false},
                {key_min, true}, {key_max, true}, {key_max + 1, false}};
    for (const auto& row : rows) {
        Digester digester;
        check(digester.init(), "init");
        check_equal(digester.add_key(std::string(row.length, 'k')), row.taken, "a key of {} bytes",
                    row.length);
        check_equal(digester.key_count(), std::size_t{row.taken}, "number of keys");
    }
}

void not_initialised() {
    Digester digester;
    check_equal(plain(digester, "token"), std::string("failed"), "plain before init()");
    check_equal(keyed(digester, 0, "token"), std::string("failed"), "keyed before add_key()");
    check(digester.init() && digester.init(), "init twice");
    check(plain(digester, "token") != "failed", "plain after it");
}

void keys_in_files() {
    const std::string key(key_min, 'k');
    const std::string inner = key + " \n" + key;
    const struct {
        std::string name;
        std::string content;
        std::string key;
    } rows[] = {
        {"nothing", "", ""},
        {"white space", " \t\r\n", ""},
        {"a key alone", key, key},
        {"a line", key + "\n", key},
        {"a line of Windows", key + "\r\n", key},
        {"space around", " \t\n" + key + "\n\n \t", key},
        {"space within", inner, inner},
        {"too short", std::string(key_min - 1, 'k') + "\n", ""},
        {"too short but for its space", " " + std::string(key_min - 1, 'k'), ""},
        {"the longest", std::string(key_max, 'k') + "\n", std::string(key_max, 'k')},
        {"too long", std::string(key_max + 1, 'k'), ""},
        {"NUL bytes", std::string(key_min, '\0'), std::string(key_min, '\0')},
        {"high bytes", std::string(key_min, '\xff') + "\n", std::string(key_min, '\xff')},
    };
    for (const auto& row : rows) {
        check_equal(key_of_file(row.content), std::string_view(row.key), "{}", row.name);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(sha256_vectors),  UNIT_TEST(hmac_vectors),  UNIT_TEST(hmac_of_a_padded_key),
        UNIT_TEST(several_keys),    UNIT_TEST(key_ids_stay),  UNIT_TEST(lengths_of_keys),
        UNIT_TEST(not_initialised), UNIT_TEST(keys_in_files),
    };
    return cmocka_run_group_tests_name("digest", tests, nullptr, nullptr);
}
