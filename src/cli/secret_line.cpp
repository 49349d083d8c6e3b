#include "cli/secret_line.hpp"

#include <bsd/readpassphrase.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace token_auth::cli {
namespace {

constexpr std::size_t line_max = 16 * 1024;  // bytes; a token has 4096 at most

// Reads a line from the terminal, which does not show what is typed; its length. readpassphrase()
// gives the terminal its echo back also if a signal ends the program.
std::size_t read_terminal(std::string& buffer, const char* what, const char* prompt) {
    if (readpassphrase(prompt, buffer.data(), buffer.size(), RPP_ECHO_OFF | RPP_REQUIRE_TTY) ==
        nullptr) {
        throw base::Error(
            fmt::format("cannot read the {} from the terminal: {}; give it from a file or a pipe",
                        what, std::strerror(errno)));
    }
    return std::strlen(buffer.data());
}

// Reads all there is, as far as the buffer goes; its length.
std::size_t read_all(std::string& buffer, const char* what) {
    std::size_t size = 0;
    while (size < buffer.size()) {
        const ssize_t got = read(STDIN_FILENO, buffer.data() + size, buffer.size() - size);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            size += static_cast<std::size_t>(got);
        } else if (errno != EINTR) {
            throw base::Error(fmt::format("cannot read standard input: {}; give the {} there",
                                          std::strerror(errno), what));
        }
    }
    return size;
}

}  // namespace

SecretLine::Buffer::~Buffer() {
    explicit_bzero(bytes.data(), bytes.size());
}

bool SecretLine::is_typed() noexcept {
    return isatty(STDIN_FILENO) == 1;
}

SecretLine::SecretLine(const char* what, const char* prompt)
    : buffer_{std::string(line_max + 1, '\0')} {
    std::string& bytes = buffer_.bytes;
    const std::size_t size =
        is_typed() ? read_terminal(bytes, what, prompt) : read_all(bytes, what);
    text_ = std::string_view(bytes).substr(0, size);
    for (const char end : {'\n', '\r'}) {
        if (text_.ends_with(end)) {
            text_.remove_suffix(1);
        }
    }
    if (size > line_max || text_.find('\n') != std::string_view::npos) {
        throw base::Error(
            fmt::format("standard input holds more than a {0}; give one {0} on one line", what),
            base::ErrorKind::invalid_argument);
    }
}

}  // namespace token_auth::cli
