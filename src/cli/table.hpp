// Tables for people: columns padded to their widest cell, two spaces apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace token_auth::cli {

class Table {
  public:
    explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

    // As many cells as the header has. What is invisible is escaped, empty cells are shown as "-".
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    std::string text() const;

  private:
    std::vector<std::string> header_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace token_auth::cli
