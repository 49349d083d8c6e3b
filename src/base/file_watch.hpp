// Notices writes to a file soon after they happen, also by other processes.
//
// Source: inotify(7). Files on network file systems give no events: callers poll as well.
#pragma once

#include <chrono>
#include <string>

#include "base/file_descriptor.hpp"

namespace token_auth::base {

enum class Woken { timeout, event, stopped };

class FileWatch {
  public:
    // Watches the directory of `path` for the file and those beside it that begin with its name
    // (an SQLite database's -wal and -journal). If that fails, there are no events.
    explicit FileWatch(std::string path);

    // Waits for an event, at most `timeout`, or until `stop_fd` (-1: none) is readable.
    Woken wait(std::chrono::milliseconds timeout, int stop_fd);

  private:
    void start();
    bool drain();

    std::string directory_;
    std::string name_;
    FileDescriptor inotify_;
};

}  // namespace token_auth::base
