// What is wrong with a field's text, for FieldReader and ParameterReader.
#pragma once

#include <cstddef>
#include <string_view>

#include "registry/validate.hpp"
#include "token_auth/record.hpp"
#include "token_auth/text.hpp"

namespace token_auth::tokenapi {

inline constexpr std::size_t query_max = 255;  // bytes of a beginning that is looked for

inline const char* identifier_problem(std::string_view text) {
    return is_identifier(text) ? nullptr : registry::identifier_rule;
}

// The registry says more exactly what is wrong with tokens' names; of an empty one, only this does.
inline const char* display_text_problem(std::string_view text) {
    return registry::is_display_text(text, name_max)
               ? nullptr
               : "must be 1 to 255 bytes without control or invisible characters, not only spaces";
}

inline const char* scope_problem(std::string_view text) {
    return is_scope(text) ? nullptr
                          : "must hold scopes of 1 to 128 printable ASCII characters, without "
                            "spaces, quotes and backslashes";
}

}  // namespace token_auth::tokenapi
