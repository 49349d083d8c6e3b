// for SHA256_Init() and the like, see low_level_sha256()
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token_auth/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <cstring>

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

// EVP's reference counts, allocation and lookup cost more than SHA-256 of a token, so the low-level
// functions are used. False if libcrypto was built without them.
bool low_level_sha256(std::string_view text, Digest& out) noexcept {
#ifdef OPENSSL_NO_DEPRECATED_3_0
    return false;
#else
    SHA256_CTX context;
    return SHA256_Init(&context) == 1 && SHA256_Update(&context, text.data(), text.size()) == 1 &&
           SHA256_Final(out.data(), &context) == 1;
#endif
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
    // low-level functions must agree with EVP.
    constexpr std::string_view text = "token-auth";
    Digest by_evp{};
    Digest by_low_level{};
    if (!sha256_by_evp(text, by_evp)) {
        return false;
    }
    low_level_ = EVP_default_properties_is_fips_enabled(nullptr) == 0 &&
                 low_level_sha256(text, by_low_level) && by_low_level == by_evp;
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
    keys_[key_count_] = {id, mac};
    ++key_count_;
    return true;
}

bool Digester::plain(std::string_view token, Digest& out) noexcept {
    return low_level_ ? low_level_sha256(token, out) : sha256_by_evp(token, out);
}

bool Digester::sha256_by_evp(std::string_view token, Digest& out) noexcept {
    unsigned int length = 0;
    return context_ != nullptr && EVP_DigestInit_ex2(context_, sha256_, nullptr) == 1 &&
           EVP_DigestUpdate(context_, token.data(), token.size()) == 1 &&
           EVP_DigestFinal_ex(context_, out.data(), &length) == 1 && length == out.size();
}

bool Digester::keyed(std::size_t index, std::string_view token, Digest& out) noexcept {
    return index < key_count_ && mac_of(keys_[index].mac, token, out);
}

}  // namespace token_auth
