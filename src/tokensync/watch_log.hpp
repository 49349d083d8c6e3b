// The log of `tokensync watch`, on standard error: one line for an event; in text, behind the time
// (RFC 3339) unless it goes to the journal.
#pragma once

#include <string>

#include "base/json_fwd.hpp"
#include "tokensync/sync.hpp"

namespace token_auth::tokensync {

enum class LogFormat { text, json };

class WatchLog {
  public:
    explicit WatchLog(LogFormat format);

    void synced(const Outcome& outcome, const store_writer::Meta& meta) const;
    void left_out(const Outcome& outcome) const;
    void held_back(std::uint64_t tokens, const std::string& store, const std::string& source) const;
    void failed(const std::string& problem) const;
    void recovered() const;
    void shared_name(const std::string& host) const;
    void unreported(const std::string& problem) const;
    void usage_failed(const std::string& problem) const;
    void usage_lost(std::uint64_t uses) const;
    void usage_restarted() const;
    void unmetered(const std::string& problem) const;
    void replaced(const std::string& path) const;
    void stopped() const;

  private:
    void write(const char* level, const char* event, const std::string& text,
               const base::Json& fields) const;

    LogFormat format_;
    bool with_time_;
};

}  // namespace token_auth::tokensync
