#include "cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"

namespace token_auth::cli {
namespace {

// fmt::print throws if standard error cannot be written; what was done stays done.
void say(std::string_view prefix, std::string_view text) {
    const std::string line = fmt::format("{}{}\n", prefix, base::printable(text));
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void write_out(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw base::Error(
                fmt::format("cannot write to standard output: {}", std::strerror(errno)));
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void print_json(const base::Json& value) {
    write_out(base::json_line(value));
}

void note(std::string_view text) {
    say("", text);
}

void warn(std::string_view text) {
    say("warning: ", text);
}

}  // namespace token_auth::cli
