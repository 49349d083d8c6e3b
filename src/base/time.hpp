// Times as people write them: durations, dates, RFC 3339. Unix seconds throughout.
//
// Source: RFC 3339 section 5.6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace token_auth::base {

inline constexpr std::int64_t time_max = 253402300799;  // 9999-12-31T23:59:59Z

std::int64_t now();

// "30s", "15m", "24h", "90d", "52w" in seconds, at most 10,000 years.
std::optional<std::int64_t> parse_duration(std::string_view text);

// "2027-01-31" (its first second, UTC) or RFC 3339 ("2027-01-31T09:30:00+01:00"; fractions of a
// second are cut off). From 1970 to 9999.
std::optional<std::int64_t> parse_time(std::string_view text);

// "2027-01-31T08:30:00Z"
std::string format_time(std::int64_t seconds);

// "90d", "23h", "5m", "12s": the largest unit that fits, rounded down.
std::string format_duration(std::int64_t seconds);

// The same of any number of seconds, as parse_duration() reads it back: "90d", "36h", "90s".
std::string exact_duration(std::int64_t seconds);

// How the command line's times may be written, for help and error messages.
inline constexpr const char* duration_forms = "30s, 15m, 24h, 90d or 52w";
inline constexpr const char* time_forms = "2027-01-31 (00:00:00 UTC) or 2027-01-31T09:30:00Z";

}  // namespace token_auth::base
