#include "registry/token_text.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

constexpr std::string_view base62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// Of tokens that release 0.1 made.
constexpr std::size_t old_id_length = 16;
constexpr std::size_t old_secret_length = 43;

void random_bytes(unsigned char* out, std::size_t size) {
    if (RAND_bytes(out, static_cast<int>(size)) != 1) {
        throw base::Error("libcrypto has no random bytes; check the system's entropy source");
    }
}

bool is_base62(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return base62.find(c) != std::string_view::npos; });
}

// Each digit as likely as any other.
void write_random(char* out, std::size_t size) {
    // the largest multiple of 62 below 256: what is above would favour some digits
    constexpr unsigned char limit = 248;
    while (size > 0) {
        unsigned char byte = 0;
        random_bytes(&byte, 1);
        if (byte < limit) {
            *out++ = base62[byte % base62.size()];
            --size;
        }
    }
}

// A big-endian number in base62, of fixed width; the bytes are used up.
void write_base62(unsigned char* bytes, std::size_t size, char* out, std::size_t width) {
    for (std::size_t at = width; at > 0; --at) {
        unsigned remainder = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const unsigned part = remainder * 256 + bytes[i];
            bytes[i] = static_cast<unsigned char>(part / base62.size());
            remainder = part % static_cast<unsigned>(base62.size());
        }
        out[at - 1] = base62[remainder];
    }
}

// The check of what stands before it.
void write_check(std::string_view text, char* out) {
    const auto check = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
    std::array<unsigned char, 4> number{
        static_cast<unsigned char>(check >> 24), static_cast<unsigned char>(check >> 16),
        static_cast<unsigned char>(check >> 8), static_cast<unsigned char>(check)};
    write_base62(number.data(), number.size(), out, check_length);
}

}  // namespace

TokenText::TokenText(std::string_view prefix) : id_(id_length, '\0') {
    static_assert(prefix_max + 1 + id_length + 1 + secret_length + check_length <= 128);
    static_assert(3 + 1 + id_length + 1 + secret_length + check_length <= 55);  // with "pat"
    write_random(id_.data(), id_.size());
    char* at = buffer_.data();
    at = std::copy(prefix.begin(), prefix.end(), at);
    *at++ = '_';
    at = std::copy(id_.begin(), id_.end(), at);
    *at++ = '.';
    write_random(at, secret_length);
    at += secret_length;

    const auto size = static_cast<std::size_t>(at - buffer_.data());
    write_check({buffer_.data(), size}, at);
    size_ = size + check_length;
}

TokenText::~TokenText() {
    OPENSSL_cleanse(buffer_.data(), buffer_.size());
}

std::string_view default_prefix(Kind kind) {
    switch (kind) {
        case kind_organization:
            return "ak";
        case kind_group:
            return "gk";
        case kind_user:
            return "pat";
    }
    return {};
}

bool holds_token(std::string_view text) {
    const auto holds = [text](std::size_t dot, std::size_t id, std::size_t behind) {
        return dot > id && text[dot - id - 1] == '_' && text.size() - dot - 1 >= behind &&
               is_base62(text.substr(dot - id, id)) && is_base62(text.substr(dot + 1, behind));
    };
    for (std::size_t dot = text.find('.'); dot != std::string_view::npos;
         dot = text.find('.', dot + 1)) {
        if (holds(dot, id_length, secret_length + check_length) ||
            holds(dot, old_id_length, old_secret_length + check_length)) {
            return true;
        }
    }
    return false;
}

std::optional<TokenReading> read_token_text(std::string_view text) {
    const std::size_t dot = text.rfind('.');
    const std::string_view head = text.substr(0, std::min(dot, text.size()));
    const std::size_t mark = head.rfind('_');
    if (dot == std::string_view::npos || mark == 0 || mark == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view id = head.substr(mark + 1);
    const bool old = id.size() == old_id_length;
    if (!is_base62(id) || (!old && id.size() != id_length)) {
        return std::nullopt;
    }
    TokenReading reading{std::string(id)};
    const std::size_t body = dot + 1 + (old ? old_secret_length : secret_length);
    if (text.size() == body + check_length) {
        std::array<char, check_length> check{};
        write_check(text.substr(0, body), check.data());
        reading.check_fits = text.substr(body) == std::string_view(check.data(), check.size());
    }
    return reading;
}

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> random(bytes);
    random_bytes(random.data(), random.size());
    std::string out;
    for (const unsigned char byte : random) {
        out += fmt::format("{:02x}", byte);
    }
    return out;
}

}  // namespace token_auth::registry
