#include "cli/table.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace token_auth::cli {
namespace {

// Code points, which is near enough to columns for what names are made of.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
    std::vector<std::vector<std::string>> lines;
    lines.reserve(rows_.size() + 1);
    lines.push_back(header_);
    std::vector<std::size_t> widths(header_.size());
    for (std::size_t i = 0; i < header_.size(); ++i) {
        widths[i] = width(header_[i]);
    }
    for (const auto& row : rows_) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < header_.size(); ++i) {
            line.push_back(row[i].empty() ? "-" : base::printable(row[i]));
            widths[i] = std::max(widths[i], width(line.back()));
        }
    }
    std::string out;
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            out += line[i];
            if (i + 1 < line.size()) {
                out.append(widths[i] - width(line[i]) + 2, ' ');
            }
        }
        out += '\n';
    }
    return out;
}

}  // namespace token_auth::cli
