// COPY's text format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace token_auth::registry::postgresql {

// Takes lines apart. Source: PostgreSQL's documentation of COPY, "Text Format".
class CopyLine {
  public:
    // The fields of a line, with or without its newline; NULL is empty, and its data() null. They
    // hold until the next line, and no longer than this one.
    const std::vector<std::string_view>& split(std::string_view line);

  private:
    std::string_view unescape(std::string_view field);

    std::vector<std::string_view> fields_;
    std::string plain_;
};

}  // namespace token_auth::registry::postgresql
