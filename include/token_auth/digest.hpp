// A token's digest: SHA-256 of the whole token, or HMAC-SHA-256 under a secret key.
//
// Sources: FIPS 180-4, RFC 2104; OpenSSL 3 EVP_MD and EVP_MAC.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

using EVP_MD = struct evp_md_st;
using EVP_MD_CTX = struct evp_md_ctx_st;
using EVP_MAC_CTX = struct evp_mac_ctx_st;

namespace token_auth {

inline constexpr std::size_t digest_size = 32;
using Digest = std::array<std::uint8_t, digest_size>;

inline constexpr std::size_t key_min = 32;  // bytes of a key
inline constexpr std::size_t key_max = 1024;
inline constexpr std::size_t key_file_max = key_max + 64;  // with white space around the key
inline constexpr std::size_t keys_max = 4;  // keys of a Digester, while they are rotated

// Identifies a key without revealing it.
using KeyId = std::uint32_t;
inline constexpr KeyId no_key = 0;  // plain SHA-256

// The key in the content of a key file: everything but leading and trailing white space. Empty if
// that is not key_min to key_max bytes long.
std::string_view key_of_file(std::string_view content) noexcept;

// Computes digests without allocating: init() fetches algorithm and contexts once. Use one per
// process (worker) and thread.
class Digester {
  public:
    Digester() noexcept = default;
    ~Digester();
    Digester(const Digester&) = delete;
    Digester& operator=(const Digester&) = delete;

    // False if libcrypto has no SHA-256 or is out of memory.
    bool init() noexcept;

    // Adds a key, as key_of_file() returns it; libcrypto keeps a copy. False if it is too short or
    // too long, there are keys_max keys already, or libcrypto fails.
    bool add_key(std::string_view key) noexcept;

    std::size_t key_count() const noexcept { return key_count_; }
    KeyId key_id(std::size_t index) const noexcept { return keys_[index].id; }

    // SHA-256 of the token.
    bool plain(std::string_view token, Digest& out) noexcept;

    // HMAC-SHA-256 of the token under key number `index`.
    bool keyed(std::size_t index, std::string_view token, Digest& out) noexcept;

  private:
    struct Keyed {
        KeyId id = no_key;
        EVP_MAC_CTX* mac = nullptr;
    };

    bool sha256_by_evp(std::string_view token, Digest& out) noexcept;

    EVP_MD* sha256_ = nullptr;
    EVP_MD_CTX* context_ = nullptr;
    bool low_level_ = false;  // SHA256_Init() and the like may replace EVP
    std::array<Keyed, keys_max> keys_{};
    std::size_t key_count_ = 0;
};

}  // namespace token_auth
