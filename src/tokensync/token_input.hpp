// A secret line from standard input.
#pragma once

#include <string>
#include <string_view>

namespace token_auth::tokensync {

// Reads one line, hides what is typed on a terminal, and wipes the line when it goes.
class SecretLine {
  public:
    // base::Error if there is more than one line, or one that is far longer than a token.
    SecretLine();
    SecretLine(const SecretLine&) = delete;
    SecretLine& operator=(const SecretLine&) = delete;

    // Without its end of line.
    std::string_view text() const noexcept { return text_; }

  private:
    // Wiped also if the constructor throws.
    struct Buffer {
        std::string bytes;
        ~Buffer();
    };

    Buffer buffer_;
    std::string_view text_;
};

}  // namespace token_auth::tokensync
