// Statements of lists in pages (pages.hpp).
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/pages.hpp"
#include "registry/session.hpp"

namespace token_auth::registry {

// Behind every text that begins with what stands before it: the last code point.
inline constexpr std::string_view last_character = "\U0010FFFF";

// A SELECT of a page, and its values.
class PageQuery {
  public:
    // Its place in the statement: "$1".
    std::string value(std::string_view text) {
        texts_.emplace_back(text);
        values_.emplace_back(std::string_view(texts_.back()));
        return fmt::format("${}", values_.size());
    }
    std::string value(std::int64_t number) {
        values_.emplace_back(number);
        return fmt::format("${}", values_.size());
    }

    void where(std::string condition) { conditions_.push_back(std::move(condition)); }
    void where(std::string_view left, std::string_view text) {
        where(fmt::format("{} {}", left, value(text)));
    }
    // One of the columns begins so.
    void where_begins(std::initializer_list<std::string_view> columns, const std::string& begin) {
        if (begin.empty()) {
            return;
        }
        const std::string from = value(begin);
        const std::string to = value(begin + std::string(last_character));
        std::vector<std::string> any;
        for (const std::string_view column : columns) {
            any.push_back(fmt::format("{0} >= {1} AND {0} < {2}", column, from, to));
        }
        where(fmt::format("({})", fmt::join(any, " OR ")));
    }
    void where_among(Session& session, std::string_view column,
                     const std::optional<std::vector<std::string>>& among) {
        if (among) {
            const std::string list = session.list({among->begin(), among->end()});
            const std::string at = value(list);
            where(fmt::format("{} {}", column, in_list(session, at)));
        }
    }
    // Behind the position, in the order of the columns.
    void where_behind(const std::vector<std::string>& columns, const std::optional<PageKey>& after,
                      std::string_view comparison) {
        if (!after) {
            return;
        }
        std::vector<std::string> keys;
        for (const auto& key : *after) {
            const auto* const number = std::get_if<std::int64_t>(&key);
            keys.push_back(number != nullptr ? value(*number) : value(std::get<std::string>(key)));
        }
        where(fmt::format("({}) {} ({})", fmt::join(columns, ", "), comparison,
                          fmt::join(keys, ", ")));
    }

    // " WHERE … ORDER BY … LIMIT …"; what comes afterwards is another SELECT's.
    std::string rest(const std::vector<std::string>& columns, bool descending, std::size_t limit) {
        const std::string_view direction = descending ? " DESC" : "";
        std::vector<std::string> order;
        for (const std::string& column : columns) {
            order.push_back(fmt::format("{}{}", column, direction));
        }
        const auto conditions = std::exchange(conditions_, {});
        return fmt::format("{}{} ORDER BY {} LIMIT {}", conditions.empty() ? "" : " WHERE ",
                           fmt::join(conditions, " AND "), fmt::join(order, ", "), limit);
    }
    const Values& values() const { return values_; }

  private:
    // Session::in_list() is about $1.
    static std::string in_list(const Session& session, const std::string& at) {
        std::string text(session.in_list());
        text.replace(text.find("$1"), 2, at);
        return text;
    }

    std::vector<std::string> conditions_;
    Values values_;
    std::deque<std::string> texts_;  // keeps its elements in place
};

// At most `limit` of them, and the key of the last one if there are more.
template <typename T, typename KeyOf>
Page<T> cut(std::vector<T> items, std::size_t limit, const KeyOf& key_of) {
    Page<T> page{std::move(items), std::nullopt};
    if (page.items.size() > limit) {
        page.items.erase(page.items.begin() + static_cast<std::ptrdiff_t>(limit), page.items.end());
        page.next = key_of(page.items.back());
    }
    return page;
}

// What `make` makes of each row.
template <typename T, typename Make>
std::vector<T> rows_as(const std::unique_ptr<Rows>& rows, const Make& make) {
    std::vector<T> items;
    while (rows->next()) {
        items.push_back(make(*rows));
    }
    return items;
}

}  // namespace token_auth::registry
