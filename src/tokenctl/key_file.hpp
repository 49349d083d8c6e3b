// The key that makes keyed digests, if the user gives one.
#pragma once

#include <string>
#include <string_view>

#include "registry/model.hpp"
#include "token_auth/digest.hpp"

namespace token_auth::tokenctl {

// Makes the digests of new tokens: plain, or keyed if a file is named.
class KeyFile {
  public:
    // `path` may be empty: no key. base::Error if the file holds none.
    explicit KeyFile(const std::string& path);

    bool is_given() const { return digester_.key_count() > 0; }

    registry::TokenDigest digest(std::string_view token);

  private:
    void read(const std::string& path);

    Digester digester_;
};

}  // namespace token_auth::tokenctl
