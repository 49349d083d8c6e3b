#include "token_auth/address.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace token_auth {
namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned mapped_bits = 96;

bool contains(const std::uint8_t* block, const Address& address) noexcept {
    const unsigned prefix = block[1];
    // A client without an address is in no block, even if a damaged block has family 0.
    if (address.family == 0 || block[0] != address.family ||
        prefix > (address.family == 4 ? 32U : 128U)) {
        return false;
    }
    const std::uint8_t* network = block + 2;
    const unsigned whole = prefix / 8;
    if (std::memcmp(network, address.bytes.data(), whole) != 0) {
        return false;
    }
    const unsigned rest = prefix % 8;
    if (rest == 0) {
        return true;
    }
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return ((network[whole] ^ address.bytes[whole]) & mask) == 0;
}

// Up to three decimal digits.
bool parse_prefix(std::string_view digits, unsigned& out) noexcept {
    if (digits.empty() || digits.size() > 3) {
        return false;
    }
    out = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') {
            return false;
        }
        out = out * 10 + static_cast<unsigned>(c - '0');
    }
    return true;
}

bool has_bits_behind(const Address& address, unsigned prefix, unsigned bits) noexcept {
    for (unsigned bit = prefix; bit < bits; ++bit) {
        if ((address.bytes[bit / 8] & (0x80U >> (bit % 8))) != 0) {
            return true;
        }
    }
    return false;
}

}  // namespace

Address address_v6(const void* sixteen_bytes) noexcept {
    const auto* bytes = static_cast<const std::uint8_t*>(sixteen_bytes);
    if (std::memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        return address_v4(bytes + sizeof(mapped_prefix));
    }
    Address address;
    address.family = 6;
    std::memcpy(address.bytes.data(), bytes, 16);
    return address;
}

bool parse_address(std::string_view text, Address& out) noexcept {
    char buffer[INET6_ADDRSTRLEN + 1];
    if (text.empty() || text.size() >= sizeof(buffer)) {
        return false;
    }
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    if (std::strlen(buffer) != text.size()) {
        return false;
    }
    std::uint8_t bytes[16];
    if (inet_pton(AF_INET, buffer, bytes) == 1) {
        out = address_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, buffer, bytes) == 1) {
        out = address_v6(bytes);
        return true;
    }
    return false;
}

bool parse_cidr(std::string_view text, Cidr& out) noexcept {
    const std::size_t slash = text.find('/');
    Address address;
    if (!parse_address(text.substr(0, slash), address)) {
        return false;
    }
    const unsigned bits = address.family == 4 ? 32 : 128;
    unsigned prefix = bits;
    if (slash != std::string_view::npos) {
        if (!parse_prefix(text.substr(slash + 1), prefix)) {
            return false;
        }
        if (address.family == 4 && text.find(':') != std::string_view::npos) {
            // An IPv4-mapped block: ::ffff:192.0.2.0/120 is 192.0.2.0/24.
            if (prefix < mapped_bits) {
                return false;
            }
            prefix -= mapped_bits;
        }
    }
    if (prefix > bits || has_bits_behind(address, prefix, bits)) {
        return false;
    }
    out[0] = address.family;
    out[1] = static_cast<std::uint8_t>(prefix);
    std::memcpy(out.data() + 2, address.bytes.data(), address.bytes.size());
    return true;
}

bool any_contains(std::string_view encoded_blocks, const Address& address) noexcept {
    while (encoded_blocks.size() >= cidr_size) {
        if (contains(reinterpret_cast<const std::uint8_t*>(encoded_blocks.data()), address)) {
            return true;
        }
        encoded_blocks.remove_prefix(cidr_size);
    }
    return false;
}

}  // namespace token_auth
