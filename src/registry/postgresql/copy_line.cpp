#include "registry/postgresql/copy_line.hpp"

namespace token_auth::registry::postgresql {

const std::vector<std::string_view>& CopyLine::split(std::string_view line) {
    fields_.clear();
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    // Unescaped text is never longer, so that views into it stay where they are.
    plain_.clear();
    plain_.reserve(line.size());
    for (;;) {
        const std::size_t end = line.find('\t');
        fields_.push_back(unescape(line.substr(0, end)));
        if (end == std::string_view::npos) {
            return fields_;
        }
        line.remove_prefix(end + 1);
    }
}

std::string_view CopyLine::unescape(std::string_view field) {
    if (field == "\\N") {
        return {};
    }
    if (field.find('\\') == std::string_view::npos) {
        return field;
    }
    const std::size_t begin = plain_.size();
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] != '\\' || i + 1 == field.size()) {
            plain_ += field[i];
            continue;
        }
        static constexpr std::string_view letters = "bfnrtv";
        static constexpr std::string_view meant = "\b\f\n\r\t\v";
        const std::size_t known = letters.find(field[++i]);
        plain_ += known == std::string_view::npos ? field[i] : meant[known];
    }
    return std::string_view(plain_).substr(begin);
}

}  // namespace token_auth::registry::postgresql
