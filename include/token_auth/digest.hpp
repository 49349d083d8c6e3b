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
inline constexpr std::size_t keys_max = 4;  // keys at once in one Digester, while rotating

// What SHA-256 knows of the blocks it has seen.
using Sha256State = std::array<std::uint32_t, 8>;

// Identifies a key without giving it away; 0 stands for "no key" (plain SHA-256).
using KeyId = std::uint32_t;
inline constexpr KeyId no_key = 0;

// The key in a key file's content: all of it but white space at its ends, key_min to key_max
// bytes. Empty where the content is no key.
std::string_view key_of_file(std::string_view content) noexcept;

// Makes digests without allocating: algorithm and contexts are fetched once, by init().
// One per process (worker) and thread; neither copied nor moved.
class Digester {
  public:
    Digester() noexcept = default;
    ~Digester();
    Digester(const Digester&) = delete;
    Digester& operator=(const Digester&) = delete;

    // False where libcrypto has no SHA-256 or is out of memory.
    bool init() noexcept;

    // Takes a key (as key_of_file() gives it) in. False where it is too short or too long, the
    // table of keys is full, or libcrypto fails. The bytes are copied into libcrypto.
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
        Sha256State inner{};  // if quick_
        Sha256State outer{};
    };

    bool evp(std::string_view token, Digest& out) noexcept;
    void precompute(std::string_view key, Keyed& keyed) noexcept;

    EVP_MD* sha256_ = nullptr;
    EVP_MD_CTX* context_ = nullptr;
    bool quick_ = false;  // the compression function may be used by itself
    Sha256State start_{};
    std::array<Keyed, keys_max> keys_{};
    std::size_t key_count_ = 0;
};

}  // namespace token_auth
