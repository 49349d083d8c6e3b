// Has a file read into memory, so that whoever maps it need not wait for the disk: a worker that
// looks a token up on a page for the first time since the system came up waits for three reads.
#pragma once

#include <string>

namespace token_auth::tokensync {

// Asks the kernel to read the file. What cannot be read is left, and so is a file that would take
// more than half of the memory there is.
void read_ahead(const std::string& file) noexcept;

}  // namespace token_auth::tokensync
