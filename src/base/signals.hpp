// Signals as a descriptor, so that they interrupt nothing.
//
// Source: signalfd(2).
#pragma once

#include <initializer_list>

#include "base/file_descriptor.hpp"

namespace token_auth::base {

// Blocks the signals in this thread, and those it starts; the descriptor, which does not block,
// becomes readable when one of them comes. base::Error.
FileDescriptor signal_descriptor(std::initializer_list<int> numbers);

}  // namespace token_auth::base
