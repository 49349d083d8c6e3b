#include "registry/token_digester.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/secret_file.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::registry {
namespace {

void require(bool made) {
    if (!made) {
        throw base::Error("libcrypto could not make a digest; check its configuration");
    }
}

}  // namespace

TokenDigester::TokenDigester(const std::vector<std::string>& key_files) {
    if (!digester_.init()) {
        throw base::Error("libcrypto has no SHA-256; check its configuration (openssl.cnf)");
    }
    for (const std::string& path : key_files) {
        if (!path.empty()) {
            add_key(path);
        }
    }
}

void TokenDigester::add_key(const std::string& path) {
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
    if (digester_.key_count() == keys_max) {
        throw base::Error(fmt::format("there are at most {} keys; leave {} out", keys_max, shown));
    }
    if (!digester_.add_key(key)) {
        throw base::Error("libcrypto has no HMAC-SHA-256; check its configuration (openssl.cnf)");
    }
}

TokenDigest TokenDigester::plain(std::string_view token) {
    TokenDigest out;
    require(digester_.plain(token, out.bytes));
    return out;
}

TokenDigest TokenDigester::keyed(std::size_t index, std::string_view token) {
    TokenDigest out;
    require(digester_.keyed(index, token, out.bytes));
    out.key_id = digester_.key_id(index);
    return out;
}

TokenDigest TokenDigester::digest(std::string_view token) {
    const std::lock_guard lock(mutex_);
    return digester_.key_count() > 0 ? keyed(0, token) : plain(token);
}

std::vector<TokenDigest> TokenDigester::digests(std::string_view token) {
    const std::lock_guard lock(mutex_);
    std::vector<TokenDigest> out{plain(token)};
    for (std::size_t i = 0; i < digester_.key_count(); ++i) {
        out.push_back(keyed(i, token));
    }
    return out;
}

}  // namespace token_auth::registry
