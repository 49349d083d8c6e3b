// The project's version; CMakeLists.txt reads it here.
#pragma once

namespace token_auth {

inline constexpr char version[] = "0.1.0";

}  // namespace token_auth
