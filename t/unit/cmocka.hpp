// cmocka, which is C and needs these headers before its own. Its asserts jump past destructors:
// compute into plain data first, then assert.
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}
#undef fail  // a macro that no other header could use the word beside
