#include "registry/password.hpp"

#include <sodium.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"

namespace token_auth::registry {
namespace {

// libsodium's own presets take 64 MiB and more, which is too much for two at once in 64 MiB.
constexpr unsigned long long passes = 2;
constexpr std::size_t memory = std::size_t{19} * 1024 * 1024;  // bytes

void init() {
    if (sodium_init() < 0) {
        throw base::Error("libsodium cannot begin; check the system's source of random bytes");
    }
}

}  // namespace

const char* password_problem(std::string_view password) {
    static_assert(password_min == 12 && password_max == 1024);
    if (password.size() < password_min || password.size() > password_max) {
        return "must be 12 to 1024 bytes";
    }
    return base::is_utf8(password) ? nullptr : "must be UTF-8 without NUL";
}

std::string hash_password(std::string_view password) {
    init();
    std::array<char, crypto_pwhash_argon2id_STRBYTES> hash{};
    if (crypto_pwhash_argon2id_str(hash.data(), password.data(), password.size(), passes, memory) !=
        0) {
        throw base::Error("there is no memory to hash a password: it takes 19 MiB");
    }
    return hash.data();
}

bool is_password(std::string_view password, const std::string& hash) {
    init();
    return crypto_pwhash_argon2id_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

const std::string& dummy_password_hash() {
    static const std::string hash = [] {
        init();
        std::array<unsigned char, 32> secret{};
        randombytes_buf(secret.data(), secret.size());
        return hash_password({reinterpret_cast<const char*>(secret.data()), secret.size()});
    }();
    return hash;
}

}  // namespace token_auth::registry
