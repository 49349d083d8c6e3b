// Little-endian integers in memory that may be unaligned.
#pragma once

#include <cstring>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || __SIZEOF_POINTER__ != 8
#error "The store's format is that of 64-bit little-endian machines."
#endif

namespace token_auth {

template <typename Integer>
inline Integer load(const char* at) noexcept {
    Integer result;
    std::memcpy(&result, at, sizeof(result));
    return result;
}

// From memory that another process may be writing: read once, so that what is checked is what is
// used, whatever becomes of it in between.
template <typename Integer>
inline Integer load_once(const char* at) noexcept {
    struct [[gnu::packed, gnu::may_alias]] Unaligned {
        Integer value;
    };
    return reinterpret_cast<const volatile Unaligned*>(at)->value;
}

template <typename Integer>
inline void store(char* at, Integer value) noexcept {
    std::memcpy(at, &value, sizeof(value));
}

}  // namespace token_auth
