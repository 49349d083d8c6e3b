// Which processes have a file open, for messages.
#pragma once

#include <string>

namespace token_auth::store_writer {

// " (process 12, stopped; process 15)": all that can be seen from here but this one; empty if none
// can.
//
// Source: proc(5), /proc/PID/fd and /proc/PID/stat.
std::string users_of_file(int file);

}  // namespace token_auth::store_writer
