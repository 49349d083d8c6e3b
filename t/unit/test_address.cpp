// Client addresses and allow-lists.
#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "token_auth/address.hpp"

namespace token_auth::unit {
namespace {

std::string text_of(const Address& address) {
    if (address.family == 0) {
        return "none";
    }
    char text[INET6_ADDRSTRLEN];
    inet_ntop(address.family == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof(text));
    return text;
}

void addresses() {
    const struct {
        std::string_view text;
        std::string_view parsed;  // empty: refused
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:db8::1", "2001:db8::1"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
        {"::fffe:192.0.2.1", "::fffe:c000:201"},
        {"", ""},
        {"192.0.2", ""},
        {"192.0.2.256", ""},
        {"192.0.2.1.1", ""},
        {" 192.0.2.1", ""},
        {"192.0.2.1 ", ""},
        {"192.0.2.1\n", ""},
        {std::string_view("192.0.2.1\0", 10), ""},
        {std::string_view("192.0.2.1\0x", 11), ""},
        {"192.0.2.1/32", ""},
        {"1:2:3:4:5:6:7", ""},
        {"1::2::3", ""},
        {"fe80::1%eth0", ""},
        {"localhost", ""},
        {"unix:", ""},
        {"0000:0000:0000:0000:0000:0000:255.255.255.255.255.255.255.255", ""},
    };
    for (const auto& row : rows) {
        Address address;
        const bool ok = parse_address(row.text, address);
        check_equal(ok, !row.parsed.empty(), "address {}", shown(row.text));
        check_equal(text_of(address), ok ? std::string(row.parsed) : "none", "address {}",
                    shown(row.text));
    }
    Address none;
    check(!parse_address(std::string_view(), none), "a text without data");
}

void addresses_of_bytes() {
    const unsigned char four[] = {192, 0, 2, 1};
    check_equal(text_of(address_v4(four)), std::string("192.0.2.1"), "four bytes");
    unsigned char sixteen[16] = {};
    check_equal(text_of(address_v6(sixteen)), std::string("::"), "all zero");
    sixteen[10] = 0xff;
    sixteen[11] = 0xff;
    std::memcpy(sixteen + 12, four, sizeof(four));
    check_equal(text_of(address_v6(sixteen)), std::string("192.0.2.1"), "a mapped one");
    sixteen[0] = 1;
    check_equal(unsigned{address_v6(sixteen).family}, 6U, "one that is almost mapped");
}

void blocks() {
    const struct {
        std::string_view text;
        bool ok;
        unsigned family;
        unsigned prefix;
    } rows[] = {
        {"192.0.2.0/24", true, 4, 24},
        {"192.0.2.1", true, 4, 32},
        {"192.0.2.1/32", true, 4, 32},
        {"0.0.0.0/0", true, 4, 0},
        {"128.0.0.0/1", true, 4, 1},
        {"2001:db8::/32", true, 6, 32},
        {"2001:db8::1", true, 6, 128},
        {"::/0", true, 6, 0},
        {"::ffff:192.0.2.0/120", true, 4, 24},
        {"::ffff:192.0.2.1", true, 4, 32},
        {"::ffff:0.0.0.0/96", true, 4, 0},
        {"::ffff:0.0.0.0/95", false, 0, 0},
        {"::ffff:192.0.2.0/24", false, 0, 0},
        {"::ffff:192.0.2.1/129", false, 0, 0},
        {"192.0.2.1/24", false, 0, 0},
        {"192.0.2.128/24", false, 0, 0},
        {"128.0.0.0/0", false, 0, 0},
        {"2001:db8::1/32", false, 0, 0},
        {"192.0.2.0/33", false, 0, 0},
        {"2001:db8::/129", false, 0, 0},
        {"192.0.2.0/", false, 0, 0},
        {"192.0.2.0/2x", false, 0, 0},
        {"192.0.2.0/-1", false, 0, 0},
        {"192.0.2.0/+24", false, 0, 0},
        {"192.0.2.0/ 24", false, 0, 0},
        {"192.0.2.0/24/24", false, 0, 0},
        {"192.0.2.0/4294967320", false, 0, 0},
        {"/24", false, 0, 0},
        {"", false, 0, 0},
    };
    for (const auto& row : rows) {
        Cidr block{};
        const bool ok = parse_cidr(row.text, block);
        check_equal(ok, row.ok, "block {}", row.text);
        check_equal(unsigned{block[0]}, row.family, "family of {}", row.text);
        check_equal(unsigned{block[1]}, row.prefix, "prefix of {}", row.text);
    }
}

std::string encoded_blocks(const std::vector<std::string_view>& texts) {
    std::string encoded;
    for (const std::string_view text : texts) {
        Cidr block{};
        check(parse_cidr(text, block), "block {}", text);
        encoded.append(reinterpret_cast<const char*>(block.data()), block.size());
    }
    return encoded;
}

void membership() {
    const struct {
        std::vector<std::string_view> blocks;
        std::string_view address;
        bool inside;
    } rows[] = {
        {{"192.0.2.0/24"}, "192.0.2.0", true},
        {{"192.0.2.0/24"}, "192.0.2.255", true},
        {{"192.0.2.0/24"}, "192.0.3.0", false},
        {{"192.0.2.0/24"}, "192.0.1.255", false},
        {{"192.0.2.0/24"}, "::ffff:192.0.2.7", true},
        {{"192.0.2.0/24"}, "2001:db8::1", false},
        {{"192.0.2.128/25"}, "192.0.2.127", false},
        {{"192.0.2.128/25"}, "192.0.2.128", true},
        {{"192.0.2.1"}, "192.0.2.1", true},
        {{"192.0.2.1"}, "192.0.2.0", false},
        {{"192.0.2.4/31"}, "192.0.2.5", true},
        {{"192.0.2.4/31"}, "192.0.2.6", false},
        {{"0.0.0.0/0"}, "203.0.113.9", true},
        {{"0.0.0.0/0"}, "2001:db8::1", false},
        {{"::/0"}, "2001:db8::1", true},
        {{"::/0"}, "192.0.2.1", false},
        {{"128.0.0.0/1"}, "127.255.255.255", false},
        {{"128.0.0.0/1"}, "128.0.0.0", true},
        {{"2001:db8::/33"}, "2001:db8:7fff::1", true},
        {{"2001:db8::/33"}, "2001:db8:8000::1", false},
        {{"2001:db8::1"}, "2001:db8::1", true},
        {{"2001:db8::1"}, "2001:db8::", false},
        {{"c000:201::/32"}, "192.0.2.1", false},  // the same bytes in the other family
        {{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1"}, "192.0.2.1", true},
        {{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1"}, "192.0.2.2", false},
        {{}, "192.0.2.1", false},
    };
    for (const auto& row : rows) {
        Address address;
        check(parse_address(row.address, address), "address {}", row.address);
        const std::string encoded = encoded_blocks(row.blocks);
        check_equal(any_contains(encoded, address), row.inside, "{} in {} blocks from {}",
                    row.address, row.blocks.size(),
                    row.blocks.empty() ? std::string_view("none") : row.blocks.front());
    }
}

// A client without an address matches no block, whatever the block's bytes.
void no_address() {
    const Address none;
    check(!any_contains(encoded_blocks({"0.0.0.0/0", "::/0"}), none),
          "all addresses hold one that is none");
    check(!any_contains(std::string(cidr_size, '\0'), none),
          "a block of zero bytes lets a client without an address in");
}

// Damaged blocks: of any family and prefix length, and cut off.
void damaged_blocks() {
    Address address;
    check(parse_address("192.0.2.1", address), "address");
    for (unsigned family = 0; family < 256; ++family) {
        for (unsigned prefix = 0; prefix < 256; ++prefix) {
            std::string block(cidr_size, '\xff');
            block[0] = static_cast<char>(family);
            block[1] = static_cast<char>(prefix);
            // 192 and 255 have their first two bits in common
            check_equal(any_contains(block, address), family == 4 && prefix <= 2,
                        "family {}, prefix {}", family, prefix);
        }
    }
    const std::string whole = encoded_blocks({"0.0.0.0/0"});
    for (std::size_t length = 0; length < whole.size(); ++length) {
        check(!any_contains(std::string(whole, 0, length), address), "{} bytes of a block", length);
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {
        UNIT_TEST(addresses),  UNIT_TEST(addresses_of_bytes), UNIT_TEST(blocks),
        UNIT_TEST(membership), UNIT_TEST(no_address),         UNIT_TEST(damaged_blocks),
    };
    return cmocka_run_group_tests_name("address", tests, nullptr, nullptr);
}
