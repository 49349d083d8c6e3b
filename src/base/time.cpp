#include "base/time.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace token_auth::base {
namespace {

using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t minute = 60;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t week = 7 * day;
constexpr std::int64_t duration_max = 10000 * 366 * day;

std::int64_t unit_seconds(char unit) {
    switch (unit) {
        case 's':
            return 1;
        case 'm':
            return minute;
        case 'h':
            return hour;
        case 'd':
            return day;
        case 'w':
            return week;
        default:
            return 0;
    }
}

// Takes exactly `digits` digits off the text.
bool take_number(std::string_view& text, std::size_t digits, unsigned& out) {
    if (text.size() < digits) {
        return false;
    }
    out = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        out = out * 10 + static_cast<unsigned>(text[i] - '0');
    }
    text.remove_prefix(digits);
    return true;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

// "Z", "+01:00"; seconds east of UTC.
std::optional<std::int64_t> take_offset(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) {
        return 0;
    }
    const bool west = take(text, '-');
    unsigned hours = 0;
    unsigned minutes = 0;
    if ((!west && !take(text, '+')) || !take_number(text, 2, hours) || !take(text, ':') ||
        !take_number(text, 2, minutes) || hours > 23 || minutes > 59) {
        return std::nullopt;
    }
    const std::int64_t seconds = hours * hour + minutes * minute;
    return west ? -seconds : seconds;
}

// The part behind the date: time of day and offset, in seconds of UTC from the date's midnight.
std::optional<std::int64_t> time_of_day(std::string_view text) {
    unsigned hours = 0;
    unsigned minutes = 0;
    unsigned seconds = 0;
    if ((!take(text, 'T') && !take(text, 't') && !take(text, ' ')) ||
        !take_number(text, 2, hours) || !take(text, ':') || !take_number(text, 2, minutes) ||
        !take(text, ':') || !take_number(text, 2, seconds) || hours > 23 || minutes > 59 ||
        seconds > 59) {
        return std::nullopt;
    }
    if (take(text, '.')) {
        unsigned digit = 0;
        if (!take_number(text, 1, digit)) {
            return std::nullopt;
        }
        while (take_number(text, 1, digit)) {
        }
    }
    const auto offset = take_offset(text);
    if (!offset || !text.empty()) {
        return std::nullopt;
    }
    return hours * hour + minutes * minute + seconds - *offset;
}

}  // namespace

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
    if (text.size() < 2 || text.front() < '0' || text.front() > '9') {
        return std::nullopt;
    }
    const std::int64_t unit = unit_seconds(text.back());
    text.remove_suffix(1);
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (unit == 0 || error != std::errc() || end != text.data() + text.size() ||
        count > duration_max / unit) {
        return std::nullopt;
    }
    return count * unit;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    unsigned year = 0;
    unsigned month = 0;
    unsigned day_of_month = 0;
    if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 2, month) ||
        !take(text, '-') || !take_number(text, 2, day_of_month)) {
        return std::nullopt;
    }
    const year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                              std::chrono::day(day_of_month)};
    if (!date.ok()) {
        return std::nullopt;
    }
    std::int64_t seconds = sys_days(date).time_since_epoch().count() * day;
    if (!text.empty()) {
        const auto rest = time_of_day(text);
        if (!rest) {
            return std::nullopt;
        }
        seconds += *rest;
    }
    if (seconds < 0 || seconds > time_max) {
        return std::nullopt;
    }
    return seconds;
}

std::string format_time(std::int64_t seconds) {
    const auto at = std::chrono::sys_seconds(std::chrono::seconds(seconds));
    const auto midnight = std::chrono::floor<std::chrono::days>(at);
    const year_month_day date(midnight);
    const std::chrono::hh_mm_ss time(at - midnight);
    if (seconds < 0 || seconds > time_max) {
        return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                           time.hours().count(), time.minutes().count(), time.seconds().count());
    }
    // A page of tokens has hundreds of them.
    std::string text = "0000-00-00T00:00:00Z";
    const auto put = [&](std::size_t end, auto number) {
        for (auto rest = static_cast<unsigned>(number); rest != 0; rest /= 10) {
            text[end--] = static_cast<char>('0' + rest % 10);
        }
    };
    put(3, static_cast<int>(date.year()));
    put(6, static_cast<unsigned>(date.month()));
    put(9, static_cast<unsigned>(date.day()));
    put(12, time.hours().count());
    put(15, time.minutes().count());
    put(18, time.seconds().count());
    return text;
}

std::string format_duration(std::int64_t seconds) {
    if (seconds >= day) {
        return fmt::format("{}d", seconds / day);
    }
    if (seconds >= hour) {
        return fmt::format("{}h", seconds / hour);
    }
    if (seconds >= minute) {
        return fmt::format("{}m", seconds / minute);
    }
    return fmt::format("{}s", seconds);
}

std::string exact_duration(std::int64_t seconds) {
    for (const char unit : {'d', 'h', 'm'}) {
        if (seconds % unit_seconds(unit) == 0) {
            return fmt::format("{}{}", seconds / unit_seconds(unit), unit);
        }
    }
    return fmt::format("{}s", seconds);
}

}  // namespace token_auth::base
