// SHA-256 of what the registry knows by its digest alone.
#pragma once

#include <string>
#include <string_view>

namespace token_auth::registry {

// 64 lower-case hex digits. base::Error if libcrypto fails.
std::string sha256_hex(std::string_view text);

}  // namespace token_auth::registry
