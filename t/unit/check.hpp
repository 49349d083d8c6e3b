// Checks for tests under cmocka. cmocka's own asserts jump past destructors: these throw, and
// UNIT_TEST() hands what they say to cmocka once the test has unwound.
#pragma once

#include <fmt/format.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// cmocka is C and needs some of the headers above before it.
extern "C" {
#include <cmocka.h>
}
#undef fail  // a macro: no other header could use the word

namespace token_auth::unit {

// Bytes as a failure message may show them.
inline std::string shown(std::string_view bytes) {
    constexpr std::size_t most = 96;
    std::string out = "\"";
    for (const char c : bytes.substr(0, most)) {
        if (c >= ' ' && c <= '~') {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    out += '"';
    if (bytes.size() > most) {
        out += fmt::format("... ({} bytes)", bytes.size());
    }
    return out;
}

template <typename T>
std::string text_of(const T& value) {
    if constexpr (std::is_enum_v<T>) {
        return fmt::format("{}", static_cast<unsigned long>(value));
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        return shown(value);
    } else {
        return fmt::format("{}", value);
    }
}

// `what` names the case.
template <typename... Args>
void check(bool ok, fmt::format_string<Args...> what, Args&&... args) {
    if (!ok) {
        throw std::runtime_error(fmt::format(what, std::forward<Args>(args)...));
    }
}

template <typename Got, typename Want, typename... Args>
void check_equal(const Got& got, const Want& want, fmt::format_string<Args...> what,
                 Args&&... args) {
    if (!(got == want)) {
        throw std::runtime_error(fmt::format("{}: got {}, not {}",
                                             fmt::format(what, std::forward<Args>(args)...),
                                             text_of(got), text_of(want)));
    }
}

template <void (*body)()>
void run(void**) {
    bool failed = true;
    try {
        body();
        failed = false;
    } catch (const std::exception& error) {
        print_error("%s\n", error.what());
    }
    if (failed) {
        _fail(__FILE__, __LINE__);
    }
}

}  // namespace token_auth::unit

#define UNIT_TEST(body) \
    { #body, token_auth::unit::run < body>, nullptr, nullptr, nullptr }
