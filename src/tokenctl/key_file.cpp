#include "tokenctl/key_file.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/secret_file.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::tokenctl {

KeyFile::KeyFile(const std::string& path) {
    if (!digester_.init()) {
        throw base::Error("libcrypto has no SHA-256; check its configuration (openssl.cnf)");
    }
    if (!path.empty()) {
        read(path);
    }
}

void KeyFile::read(const std::string& path) {
    const base::SecretFile file(path, key_file_max);
    // It may be the key itself.
    const std::string shown = base::redacted_path(path);
    if (file.error() != 0) {
        throw base::Error(
            fmt::format("key file {} cannot be read: {}; {}", shown, std::strerror(file.error()),
                        file_remedy(file.error(), "check the path and its permissions")));
    }
    const std::string_view key = key_of_file(file.content());
    if (key.empty()) {
        throw base::Error(
            fmt::format("key file {} holds no key: it must be {} to {} bytes, such as "
                        "`openssl rand -hex 32` makes",
                        shown, key_min, key_max));
    }
    if (!digester_.add_key(key)) {
        throw base::Error("libcrypto has no HMAC-SHA-256; check its configuration (openssl.cnf)");
    }
}

registry::TokenDigest KeyFile::digest(std::string_view token) {
    registry::TokenDigest out;
    const bool ok =
        is_given() ? digester_.keyed(0, token, out.bytes) : digester_.plain(token, out.bytes);
    if (!ok) {
        throw base::Error("libcrypto could not make a digest; check its configuration");
    }
    out.key_id = is_given() ? digester_.key_id(0) : no_key;
    return out;
}

}  // namespace token_auth::tokenctl
