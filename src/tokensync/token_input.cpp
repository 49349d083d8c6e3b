#include "tokensync/token_input.hpp"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"

namespace token_auth::tokensync {
namespace {

constexpr std::size_t line_max = 16 * 1024;  // bytes; a token has 4096 at most

// A terminal on standard input, that does not show what is typed.
class QuietTerminal {
  public:
    QuietTerminal() {
        if (isatty(STDIN_FILENO) != 1 || tcgetattr(STDIN_FILENO, &before_) != 0) {
            return;
        }
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
        if (!changed_) {
            throw base::Error(
                "cannot stop the terminal from showing the token; give it from a file or a pipe");
        }
        std::fputs("Token: ", stderr);
    }
    ~QuietTerminal() {
        if (changed_) {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
            std::fputs("\n", stderr);
        }
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;

    bool changed() const noexcept { return changed_; }

  private:
    termios before_{};
    bool changed_ = false;
};

}  // namespace

SecretLine::SecretLine() : buffer_(line_max + 1, '\0') {
    const QuietTerminal terminal;
    std::size_t size = 0;
    while (size < buffer_.size()) {
        const ssize_t got = read(STDIN_FILENO, buffer_.data() + size, buffer_.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            OPENSSL_cleanse(buffer_.data(), buffer_.size());
            throw base::Error(fmt::format("cannot read standard input: {}; give the token there",
                                          std::strerror(errno)));
        }
        size += static_cast<std::size_t>(got);
        if (got == 0 || (terminal.changed() && buffer_[size - 1] == '\n')) {
            break;
        }
    }
    text_ = std::string_view(buffer_).substr(0, size);
    for (const char end : {'\n', '\r'}) {
        if (text_.ends_with(end)) {
            text_.remove_suffix(1);
        }
    }
    if (size > line_max || text_.find('\n') != std::string_view::npos) {
        OPENSSL_cleanse(buffer_.data(), buffer_.size());
        throw base::Error("standard input holds more than a token; give one token on one line",
                          base::ErrorKind::invalid_argument);
    }
}

SecretLine::~SecretLine() {
    OPENSSL_cleanse(buffer_.data(), buffer_.size());
}

}  // namespace token_auth::tokensync
