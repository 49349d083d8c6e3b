// The one exception type of the tools.
#pragma once

#include <stdexcept>
#include <string>

namespace token_auth::base {

// Why something was not done. Programs map it to an exit status or an HTTP status.
enum class ErrorKind {
    failed,            // it was tried and did not work
    invalid_argument,  // the caller asked for something that makes no sense
    refused,           // it could be done, but does more harm than it is worth unless forced
};

// `what()` is one line that names the thing and the remedy, without the program's name.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& text, ErrorKind kind = ErrorKind::failed)
        : std::runtime_error(text), kind_(kind) {}
    ErrorKind kind() const noexcept { return kind_; }

  private:
    ErrorKind kind_;
};

}  // namespace token_auth::base
