// Client addresses and the CIDR blocks of a token's allow-list.
//
// Source: RFC 4632, RFC 4291 (text forms, by way of inet_pton).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace token_auth {

// In network byte order; IPv4 takes the first four bytes. An IPv4-mapped IPv6 address
// (::ffff:192.0.2.1, what a dual-stack listener sees) is an IPv4 address here.
struct Address {
    std::uint8_t family = 0;  // 4, 6, or 0 where there is none (a Unix socket)
    std::array<std::uint8_t, 16> bytes{};
};

Address address_v4(const void* four_bytes) noexcept;
Address address_v6(const void* sixteen_bytes) noexcept;
bool parse_address(std::string_view text, Address& out) noexcept;

// How a block stands in a record: family, prefix length, 16 bytes of address.
inline constexpr std::size_t cidr_size = 18;
using Cidr = std::array<std::uint8_t, cidr_size>;

// "192.0.2.0/24", "2001:db8::/32", or an address alone (all of its bits). False where it is none,
// or where bits behind the prefix are set.
bool parse_cidr(std::string_view text, Cidr& out) noexcept;

// Whether any of the encoded blocks (a multiple of cidr_size bytes) holds the address.
bool any_contains(std::string_view encoded_blocks, const Address& address) noexcept;

}  // namespace token_auth
