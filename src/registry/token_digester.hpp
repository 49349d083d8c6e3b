// Makes tokens' digests: plain, and keyed by the secrets in files.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "registry/model.hpp"
#include "token_auth/digest.hpp"

namespace token_auth::registry {

// May be shared by threads.
class TokenDigester {
  public:
    // Empty paths do not count. base::Error if a file holds no key, or there are too many.
    explicit TokenDigester(const std::vector<std::string>& key_files);

    bool has_key() const { return digester_.key_count() > 0; }

    // Of a new token: by the first key, plain if there is none.
    TokenDigest digest(std::string_view token);
    // All that a token's row may hold: plain, and by each key.
    std::vector<TokenDigest> digests(std::string_view token);

  private:
    void add_key(const std::string& path);
    TokenDigest plain(std::string_view token);
    TokenDigest keyed(std::size_t index, std::string_view token);

    std::mutex mutex_;
    Digester digester_;
};

}  // namespace token_auth::registry
