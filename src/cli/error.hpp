// Exit statuses of both tools, and the errors that lead to them.
#pragma once

#include <stdexcept>
#include <string>

namespace token_auth::cli {

enum Exit : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_refused = 3,
    exit_differs = 4,
};

// `what()` is one line that names the thing and the remedy, without the program's name.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& text, Exit status = exit_failed)
        : std::runtime_error(text), status_(status) {}
    Exit status() const noexcept { return status_; }

  private:
    Exit status_;
};

}  // namespace token_auth::cli
