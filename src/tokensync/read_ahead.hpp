// Has a file read into memory, so that whoever maps it need not wait for the disk: a worker that
// looks a token up on a page for the first time since the system came up waits for three reads.
#pragma once

#include <string>
#include <thread>

namespace token_auth::tokensync {

class ReadAhead {
  public:
    // Reads the file in the background, from beginning to end; ends an earlier reading. What cannot
    // be read is left, and so is a file that would take more than half of the memory there is.
    void begin(const std::string& file);

  private:
    std::jthread reader_;
};

}  // namespace token_auth::tokensync
