// A secret line from standard input.
#pragma once

#include <string>
#include <string_view>

namespace token_auth::tokensync {

// Reads one line, not shown where a terminal is typed on, and wipes it when it goes.
class SecretLine {
  public:
    // base::Error where there is more than one line, or one that is far longer than a token.
    SecretLine();
    ~SecretLine();
    SecretLine(const SecretLine&) = delete;
    SecretLine& operator=(const SecretLine&) = delete;

    // Without its end of line.
    std::string_view text() const noexcept { return text_; }

  private:
    std::string buffer_;
    std::string_view text_;
};

}  // namespace token_auth::tokensync
