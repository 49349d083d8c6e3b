#include "cli/time_options.hpp"

#include <fmt/core.h>

#include "base/error.hpp"
#include "base/redact.hpp"
#include "base/time.hpp"

namespace token_auth::cli {
namespace {

base::Error no_time(std::string_view option, std::string_view text, std::string_view forms) {
    return base::Error(
        fmt::format("{} {} is not understood: write {}", option, base::quoted(text), forms),
        base::ErrorKind::invalid_argument);
}

}  // namespace

std::int64_t duration_option(std::string_view option, std::string_view text) {
    const auto duration = base::parse_duration(text);
    if (!duration) {
        throw no_time(option, text, base::duration_forms);
    }
    return *duration;
}

std::int64_t time_option(std::string_view option, std::string_view text) {
    const auto time = base::parse_time(text);
    if (!time) {
        throw no_time(option, text, base::time_forms);
    }
    return *time;
}

std::int64_t time_or_duration_option(std::string_view option, std::string_view text,
                                     std::int64_t base) {
    if (const auto duration = base::parse_duration(text)) {
        if (*duration > base::time_max - base) {
            throw base::Error(
                fmt::format("{} {} is beyond the year 9999", option, base::quoted(text)),
                base::ErrorKind::invalid_argument);
        }
        return base + *duration;
    }
    const auto time = base::parse_time(text);
    if (!time) {
        throw no_time(option, text, fmt::format("{}, {}", base::duration_forms, base::time_forms));
    }
    return *time;
}

}  // namespace token_auth::cli
