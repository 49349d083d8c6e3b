// A secret line from standard input.
#pragma once

#include <string>
#include <string_view>

namespace token_auth::cli {

// Reads one line, hides what is typed on a terminal, and wipes the line when it goes.
class SecretLine {
  public:
    // `what` is the secret's name, as in "token"; `prompt` is for a terminal. base::Error if there
    // is more than one line, or one that is far too long.
    SecretLine(const char* what, const char* prompt);
    SecretLine(const SecretLine&) = delete;
    SecretLine& operator=(const SecretLine&) = delete;

    // Without its end of line.
    std::string_view text() const noexcept { return text_; }

    // Whether a person types it.
    static bool is_typed() noexcept;

  private:
    // Wiped also if the constructor throws.
    struct Buffer {
        std::string bytes;
        ~Buffer();
    };

    Buffer buffer_;
    std::string_view text_;
};

}  // namespace token_auth::cli
