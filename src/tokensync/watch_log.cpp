#include "tokensync/watch_log.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/output.hpp"
#include "tokensync/report.hpp"

namespace token_auth::tokensync {

namespace {

// Whether standard error leads to systemd's journal, which gives each line its time.
// Source: systemd.exec(5), $JOURNAL_STREAM.
bool is_journal() {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat info {};
    return stream != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
           fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

}  // namespace

WatchLog::WatchLog(LogFormat format)
    : format_(format), with_time_(format == LogFormat::text && !is_journal()) {}

void WatchLog::write(const char* level, const char* event, const std::string& text,
                     const base::Json& fields) const {
    std::string line = text;
    if (with_time_) {
        line = fmt::format("{} {}", base::format_time(std::time(nullptr)), text);
    }
    if (format_ == LogFormat::json) {
        base::Json all;
        all["time"] = base::format_time(std::time(nullptr));
        all["level"] = level;
        all["event"] = event;
        all.update(fields);
        line = base::json_text(all);
    }
    try {
        cli::note(line);
    } catch (const std::system_error&) {
        // A log that nobody reads any more is no reason to let the store grow old.
    }
}

void WatchLog::synced(const Outcome& outcome, const store_writer::Meta& meta) const {
    if (!outcome.damage.empty()) {
        base::Json fields;
        fields["damage"] = outcome.damage;
        write("warning", "damaged", damage_line(outcome), fields);
    }
    write("info", "synced", outcome_line(outcome, meta), outcome_fields(outcome, meta));
}

void WatchLog::left_out(const Outcome& outcome) const {
    for (const std::string& line : left_out_lines(outcome)) {
        base::Json fields;
        fields["problem"] = line;
        write("warning", "left_out", line, fields);
    }
}

void WatchLog::held_back(std::uint64_t tokens, const std::string& store,
                         const std::string& source) const {
    base::Json fields;
    fields["tokens"] = tokens;
    fields["store"] = store;
    write("warning", "held_back", held_back_line(tokens, store, source), fields);
}

void WatchLog::failed(const std::string& problem) const {
    base::Json fields;
    fields["error"] = problem;
    write("error", "failed", fmt::format("{}; trying again", problem), fields);
}

void WatchLog::unreported(const std::string& problem) const {
    base::Json fields;
    fields["error"] = problem;
    write("warning", "unreported",
          fmt::format("{}; syncing goes on, but `tokenctl hosts` and --wait do not see this host",
                      problem),
          fields);
}

void WatchLog::shared_name(const std::string& host) const {
    base::Json fields;
    fields["host"] = host;
    write(
        "warning", "shared_name",
        fmt::format("another tokensync reports itself as host {}, too; --wait waits in vain until "
                    "each has its own name by --host",
                    host),
        fields);
}

void WatchLog::usage_failed(const std::string& problem) const {
    base::Json fields;
    fields["error"] = problem;
    write("warning", "usage_failed",
          fmt::format("{}; tokens' last use is not told meanwhile; trying again", problem), fields);
}

void WatchLog::usage_lost(std::uint64_t uses) const {
    base::Json fields;
    fields["uses"] = uses;
    write("warning", "usage_lost",
          fmt::format("nginx had no room for {} of tokens so far; give it a larger token_auth_zone",
                      base::counted(uses, "use")),
          fields);
}

void WatchLog::usage_restarted() const {
    write("info", "usage_restarted",
          "nginx notes the use of tokens anew; what it had not told is lost", base::Json::object());
}

void WatchLog::unmetered(const std::string& problem) const {
    base::Json fields;
    fields["error"] = problem;
    write("warning", "unmetered", fmt::format("{}; syncing goes on without --metrics", problem),
          fields);
}

void WatchLog::recovered() const {
    write("info", "recovered", "recovered", base::Json::object());
}

void WatchLog::replaced(const std::string& path) const {
    base::Json fields;
    fields["store"] = path;
    if (access((path + "/data.mdb").c_str(), F_OK) != 0) {
        write("warning", "removed", fmt::format("the store {} was removed; building it anew", path),
              fields);
        return;
    }
    write("info", "replaced",
          fmt::format("another store was put at {}; going on with that one", path), fields);
}

void WatchLog::stopped() const {
    write("info", "stopped", "stopped", base::Json::object());
}

}  // namespace token_auth::tokensync
