#include "registry/sha256.hpp"

#include <openssl/evp.h>

#include "base/error.hpp"
#include "registry/validate.hpp"
#include "token_auth/digest.hpp"

namespace token_auth::registry {

std::string sha256_hex(std::string_view text) {
    Digest digest{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        throw base::Error("libcrypto could not make a digest; check its configuration");
    }
    return to_hex(digest);
}

}  // namespace token_auth::registry
