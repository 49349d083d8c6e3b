// Client addresses, and the address blocks that a token may be used from.
//
// Sources: RFC 4632 (CIDR), RFC 4291 (IPv6), inet_pton(3) for text forms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace token_auth {

// In network byte order; an IPv4 address takes the first four bytes. An IPv4-mapped IPv6 address
// (::ffff:192.0.2.1, as a dual-stack listener sees it) counts as the IPv4 address.
struct Address {
    std::uint8_t family = 0;  // 4, 6, or 0 for no address (a Unix socket)
    std::array<std::uint8_t, 16> bytes{};
};

inline Address address_v4(const void* four_bytes) noexcept {
    Address address;
    address.family = 4;
    std::memcpy(address.bytes.data(), four_bytes, 4);
    return address;
}
Address address_v6(const void* sixteen_bytes) noexcept;
bool parse_address(std::string_view text, Address& out) noexcept;

// A block as a record holds it: family, prefix length, 16 bytes of address.
inline constexpr std::size_t cidr_size = 18;
using Cidr = std::array<std::uint8_t, cidr_size>;

// Parses "192.0.2.0/24", "2001:db8::/32", or a single address. False if the text is malformed or
// bits behind the prefix are set.
bool parse_cidr(std::string_view text, Cidr& out) noexcept;

// Whether any of the encoded blocks (a multiple of cidr_size bytes) contains the address.
bool any_contains(std::string_view encoded_blocks, const Address& address) noexcept;

}  // namespace token_auth
