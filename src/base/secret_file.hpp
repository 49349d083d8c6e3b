// The content of a file that holds a secret, wiped when it goes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace token_auth::base {

class SecretFile {
  public:
    // Reads at most `size_max` bytes.
    SecretFile(const std::string& path, std::size_t size_max);
    ~SecretFile();
    SecretFile(const SecretFile&) = delete;
    SecretFile& operator=(const SecretFile&) = delete;

    // The errno of what kept it from being read; 0: nothing.
    int error() const noexcept { return error_; }

    // Empty if the file is longer than `size_max`.
    std::string_view content() const noexcept;

  private:
    std::string bytes_;  // one more than `size_max`
    std::size_t size_ = 0;
    int error_ = 0;
};

}  // namespace token_auth::base
