// Times and durations among the options of a command line.
#pragma once

#include <cstdint>
#include <string_view>

namespace token_auth::cli {

// For the option of that name; base::Error (wrong usage) if it is not one.
std::int64_t duration_option(std::string_view option, std::string_view text);
std::int64_t time_option(std::string_view option, std::string_view text);
// A duration, counted from `base`, or a time.
std::int64_t time_or_duration_option(std::string_view option, std::string_view text,
                                     std::int64_t base);

}  // namespace token_auth::cli
