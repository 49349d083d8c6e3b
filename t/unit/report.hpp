// Failures are gathered as text and told to cmocka last: its asserts jump past destructors.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// After the headers above, which it needs; it does not know C++.
extern "C" {
#include <cmocka.h>
}
#undef fail  // a macro that no other header could use the word beside

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

class Report {
  public:
    // `what` names the case; it is formatted only where the check fails.
    template <typename... Args>
    bool check(bool ok, fmt::format_string<Args...> what, Args&&... args) {
        if (!ok) {
            add(fmt::format(what, std::forward<Args>(args)...));
        }
        return ok;
    }

    template <typename Got, typename Want, typename... Args>
    bool equal(const Got& got, const Want& want, fmt::format_string<Args...> what, Args&&... args) {
        if (got == want) {
            return true;
        }
        add(fmt::format("{}: got {}, not {}", fmt::format(what, std::forward<Args>(args)...),
                        text_of(got), text_of(want)));
        return false;
    }

    void add(const std::string& failure) {
        constexpr std::size_t most = 20;
        if (++failures_ <= most) {
            text_ += "  " + failure + "\n";
        }
    }

    std::string text() const {
        return failures_ == 0 ? std::string() : fmt::format("{} failed:\n{}", failures_, text_);
    }

  private:
    template <typename T>
    static std::string text_of(const T& value) {
        if constexpr (std::is_enum_v<T>) {
            return fmt::format("{}", static_cast<unsigned long>(value));
        } else if constexpr (std::is_convertible_v<T, std::string_view>) {
            return shown(value);
        } else {
            return fmt::format("{}", value);
        }
    }

    std::size_t failures_ = 0;
    std::string text_;
};

using Body = void (*)(Report&);

// What cmocka calls: by the time it may jump, everything that has a destructor is gone.
template <Body body>
void run(void**) {
    static char text[16 * 1024];
    text[0] = '\0';
    {
        Report report;
        try {
            body(report);
        } catch (const std::exception& error) {
            report.add(fmt::format("exception: {}", error.what()));
        }
        const std::string all = report.text();
        all.copy(text, sizeof(text) - 1);
        text[std::min(all.size(), sizeof(text) - 1)] = '\0';
    }
    if (text[0] != '\0') {
        // Line by line: cmocka cuts off what is long.
        for (char* line = std::strtok(text, "\n"); line != nullptr;
             line = std::strtok(nullptr, "\n")) {
            print_error("%s\n", line);
        }
        _fail(__FILE__, __LINE__);
    }
}

}  // namespace token_auth::unit

#define UNIT_TEST(body) \
    { #body, token_auth::unit::run < body>, nullptr, nullptr, nullptr }
