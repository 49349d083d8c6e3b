// Converts between nginx's strings and std::string_view.
#pragma once

#include <cstring>
#include <string_view>

#include "nginx/ngx.hpp"

namespace token_auth::nginx {

inline std::string_view view(const ngx_str_t& text) noexcept {
    return {reinterpret_cast<const char*>(text.data), text.len};
}

// Points to the same bytes, which nginx does not change.
inline ngx_str_t str(std::string_view text) noexcept {
    return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

// Appends to a buffer with enough room; returns the new end.
inline u_char* append(u_char* end, std::string_view text) noexcept {
    if (!text.empty()) {
        std::memcpy(end, text.data(), text.size());
    }
    return end + text.size();
}

}  // namespace token_auth::nginx
