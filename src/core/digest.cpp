// SHA256_Init() and SHA256_Transform().
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token_auth/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace token_auth {
namespace {

// A key's id is an HMAC of this label, which reveals nothing of the key.
constexpr std::string_view key_id_label = "token-auth key id";

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const unsigned char* bytes(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

constexpr std::size_t block_size = 64;  // of SHA-256

// EVP's reference counts, allocation and lookup cost more than SHA-256 of a token, so libcrypto's
// compression function is used by itself. False if libcrypto was built without it.
#ifdef OPENSSL_NO_DEPRECATED_3_0
struct Sha256 {
    std::uint32_t h[8];
};
bool start(Sha256&) noexcept {
    return false;
}
void compress(Sha256&, const unsigned char*) noexcept {}
#else
using Sha256 = SHA256_CTX;  // of which SHA256_Transform() uses the state alone
bool start(Sha256& sha) noexcept {
    return SHA256_Init(&sha) == 1;
}
void compress(Sha256& sha, const unsigned char* block) noexcept {
    SHA256_Transform(&sha, block);
}
#endif

// The digest of a text that follows `before` bytes, whole blocks, which are in the state already.
inline void finish(const Sha256State& state, std::uint64_t before, const unsigned char* text,
                   std::size_t size, Digest& out) noexcept {
    Sha256 sha;
    std::memcpy(sha.h, state.data(), sizeof(state));
    const std::uint64_t bits = __builtin_bswap64((before + size) * 8);
    for (; size >= block_size; size -= block_size, text += block_size) {
        compress(sha, text);
    }
    unsigned char last[block_size] = {};
    constexpr std::size_t half = block_size / 2;
    if (size >= half) {  // as tokens are; two copies of a known size are cheaper than a loop
        std::memcpy(last, text, half);
        std::memcpy(last + size - half, text + size - half, half);
    } else {
        std::memcpy(last, text, size);
    }
    last[size] = 0x80;
    if (size + 1 + sizeof(bits) > block_size) {
        compress(sha, last);
        std::memset(last, 0, sizeof(last));
    }
    std::memcpy(last + block_size - sizeof(bits), &bits, sizeof(bits));
    compress(sha, last);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < std::size(sha.h); i += 2) {
        const std::uint64_t two = (std::uint64_t{sha.h[i]} << 32) | sha.h[i + 1];
        const std::uint64_t swapped = __builtin_bswap64(two);
        std::memcpy(out.data() + i * sizeof(sha.h[0]), &swapped, sizeof(swapped));
    }
}

Sha256State state_behind(const Sha256State& state, const unsigned char* block) noexcept {
    Sha256 sha;
    std::memcpy(sha.h, state.data(), sizeof(state));
    compress(sha, block);
    Sha256State out;
    std::memcpy(out.data(), sha.h, sizeof(out));
    return out;
}

bool mac_of(EVP_MAC_CTX* mac, std::string_view text, Digest& out) noexcept {
    std::size_t length = 0;
    // With a null key, EVP_MAC_init() starts over with the context's key.
    return EVP_MAC_init(mac, nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(mac, bytes(text), text.size()) == 1 &&
           EVP_MAC_final(mac, out.data(), &length, out.size()) == 1 && length == out.size();
}

}  // namespace

std::string_view key_of_file(std::string_view content) noexcept {
    while (!content.empty() && is_space(content.front())) {
        content.remove_prefix(1);
    }
    while (!content.empty() && is_space(content.back())) {
        content.remove_suffix(1);
    }
    if (content.size() < key_min || content.size() > key_max) {
        return {};
    }
    return content;
}

Digester::~Digester() {
    for (std::size_t i = 0; i < key_count_; ++i) {
        EVP_MAC_CTX_free(keys_[i].mac);
    }
    EVP_MD_CTX_free(context_);
    EVP_MD_free(sha256_);
}

bool Digester::init() noexcept {
    if (sha256_ == nullptr) {
        sha256_ = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    }
    if (context_ == nullptr) {
        context_ = EVP_MD_CTX_new();
    }
    if (sha256_ == nullptr || context_ == nullptr) {
        return false;
    }
    // In FIPS mode, only a validated provider may compute digests, which EVP selects. And the
    // low-level function must agree with EVP.
    constexpr std::string_view text = "token-auth";
    Digest by_evp{};
    Digest by_low_level{};
    Sha256 sha;
    if (!sha256_by_evp(text, by_evp)) {
        return false;
    }
    if (EVP_default_properties_is_fips_enabled(nullptr) == 0 && start(sha)) {
        std::memcpy(start_.data(), sha.h, sizeof(start_));
        finish(start_, 0, bytes(text), text.size(), by_low_level);
        low_level_ = by_low_level == by_evp;
    }
    return true;
}

bool Digester::add_key(std::string_view key) noexcept {
    if (key.size() < key_min || key.size() > key_max || key_count_ == keys_max) {
        return false;
    }
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    if (hmac == nullptr) {
        return false;
    }
    EVP_MAC_CTX* mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);  // the context holds a reference
    if (mac == nullptr) {
        return false;
    }
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    Digest label{};
    if (EVP_MAC_init(mac, bytes(key), key.size(), parameters) != 1 ||
        !mac_of(mac, key_id_label, label)) {
        EVP_MAC_CTX_free(mac);
        return false;
    }
    KeyId id = (KeyId{label[0]} << 24) | (KeyId{label[1]} << 16) | (KeyId{label[2]} << 8) |
               KeyId{label[3]};
    if (id == no_key) {
        id = 1;
    }
    keys_[key_count_] = {id, mac, {}, {}};
    precompute(key, keys_[key_count_]);
    ++key_count_;
    return true;
}

// The states behind the key's two padded blocks (RFC 2104).
void Digester::precompute(std::string_view key, Keyed& keyed) noexcept {
    if (!low_level_) {
        return;
    }
    std::array<unsigned char, block_size> block{};
    if (key.size() > block_size) {
        Digest short_key;
        finish(start_, 0, bytes(key), key.size(), short_key);
        std::copy(short_key.begin(), short_key.end(), block.begin());
        OPENSSL_cleanse(short_key.data(), short_key.size());
    } else {
        std::memcpy(block.data(), key.data(), key.size());
    }
    constexpr unsigned char inner_pad = 0x36;
    constexpr unsigned char outer_pad = 0x5c;
    for (unsigned char& byte : block) {
        byte ^= inner_pad;
    }
    keyed.inner = state_behind(start_, block.data());
    for (unsigned char& byte : block) {
        byte ^= inner_pad ^ outer_pad;
    }
    keyed.outer = state_behind(start_, block.data());
    OPENSSL_cleanse(block.data(), block.size());
}

bool Digester::plain(std::string_view token, Digest& out) noexcept {
    if (!low_level_) {
        return sha256_by_evp(token, out);
    }
    finish(start_, 0, bytes(token), token.size(), out);
    return true;
}

bool Digester::sha256_by_evp(std::string_view token, Digest& out) noexcept {
    unsigned int length = 0;
    return context_ != nullptr && EVP_DigestInit_ex2(context_, sha256_, nullptr) == 1 &&
           EVP_DigestUpdate(context_, token.data(), token.size()) == 1 &&
           EVP_DigestFinal_ex(context_, out.data(), &length) == 1 && length == out.size();
}

bool Digester::keyed(std::size_t index, std::string_view token, Digest& out) noexcept {
    if (index >= key_count_ || !low_level_) {
        return index < key_count_ && mac_of(keys_[index].mac, token, out);
    }
    Digest inner;
    finish(keys_[index].inner, block_size, bytes(token), token.size(), inner);
    finish(keys_[index].outer, block_size, inner.data(), inner.size(), out);
    return true;
}

}  // namespace token_auth
