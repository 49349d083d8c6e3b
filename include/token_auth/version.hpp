// The project's version, said here alone: CMakeLists.txt reads it, and debian/changelog agrees
// (t/package/version.t).
#pragma once

namespace token_auth {

inline constexpr char version[] = "0.2.0";

}  // namespace token_auth
