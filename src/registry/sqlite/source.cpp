#include "registry/sqlite/source.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/file_watch.hpp"
#include "registry/entities.hpp"
#include "registry/version.hpp"

namespace token_auth::registry {
namespace {

// Without events (a network file system, no inotify left) a change is seen this late at most.
constexpr std::chrono::milliseconds poll_interval{250};
// An event comes with the write to the log's file; readers see the commit after it, once the file
// is on disk, which tells nobody. On a slow disk that takes its time, so it is looked for in
// steps that grow.
constexpr std::chrono::milliseconds commit_patience{2000};
constexpr std::chrono::milliseconds first_step{1};
constexpr std::chrono::milliseconds last_step{25};

constexpr std::array<const char*, 3> file_suffixes{"", "-wal", "-shm"};

constexpr std::string_view position_prefix = "sqlite:";

// A row of the change log; {0, 0} is before the first one.
struct Position {
    std::int64_t seq = 0;
    std::int64_t mark = 0;
    bool operator==(const Position&) const = default;
};

std::string format_position(const Position& position) {
    return fmt::format("{}{}:{}", position_prefix, position.seq, position.mark);
}

std::optional<Position> parse_position(std::string_view text) {
    if (!text.starts_with(position_prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(position_prefix.size());
    const char* const end = text.data() + text.size();
    Position position;
    const auto seq = std::from_chars(text.data(), end, position.seq);
    if (seq.ec != std::errc() || seq.ptr == end || *seq.ptr != ':') {
        return std::nullopt;
    }
    const auto mark = std::from_chars(seq.ptr + 1, end, position.mark);
    if (mark.ec != std::errc() || mark.ptr != end) {
        return std::nullopt;
    }
    return position;
}

Position last_position(Session& session) {
    const auto rows = session.query("SELECT seq, mark FROM changes ORDER BY seq DESC LIMIT 1");
    return rows->next() ? Position{rows->integer(0), rows->integer(1)} : Position{};
}

// Whether everything after the position is in the log.
bool in_log(sqlite::SqliteSession& session, const Position& position) {
    if (position == Position{}) {
        return session.number("SELECT coalesce(min(seq), 0) FROM changes") == 1 ||
               session.number(
                   "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'") == 0;
    }
    const auto row = session.query("SELECT mark FROM changes WHERE seq = $1", {position.seq});
    return row->next() && row->integer(0) == position.mark;
}

}  // namespace

SqliteSource::SqliteSource(Location location)
    : location_(std::move(location)), watch_(location_.path) {}

// If their directory cannot be searched any more (see tokensync/supervise.hpp), what was opened
// there is still there unless it has lost its name.
SqliteSource::Files SqliteSource::files() const {
    Files found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
        struct stat info {};
        if (stat((location_.path + file_suffixes[i]).c_str(), &info) == 0) {
            found[i] = {info.st_dev, info.st_ino};
        } else if (errno == EACCES && fstat(open_[i].get(), &info) == 0 && info.st_nlink != 0) {
            found[i] = files_[i];
        }
    }
    return found;
}

// A log or index that was removed or exchanged under an open connection leaves it reading the old
// one for ever, without an error.
bool SqliteSource::in_place() const {
    return files() == files_;
}

void SqliteSource::read(const std::function<void(sqlite::SqliteSession&)>& body) {
    if (session_ && !in_place()) {
        session_.reset();
    }
    if (!session_) {
        // Looked at before it is opened: a file exchanged in between is noticed at the next call.
        files_ = files();
        for (std::size_t i = 0; i < open_.size(); ++i) {
            const std::string path = location_.path + file_suffixes[i];
            open_[i] = base::FileDescriptor(::open(path.c_str(), O_PATH | O_CLOEXEC));
        }
        session_ = sqlite::open(location_, Access::read, oldest_readable_schema);
    }
    try {
        session_->read([&] {
            // It may have become one of a newer release since it was opened.
            require_version(location_, session_->version(), oldest_readable_schema);
            body(*session_);
        });
    } catch (const SqlError&) {
        session_.reset();
        throw;
    }
    // After what a sink throws it can be used again; to open it may take rights given up by now.
}

std::string SqliteSource::identity() {
    std::string id;
    read([&](Session& session) { id = session.registry_id(); });
    return id;
}

std::uint64_t SqliteSource::token_count() {
    std::int64_t count = 0;
    read([&](sqlite::SqliteSession& session) {
        count = session.number("SELECT count(*) FROM tokens");
    });
    return static_cast<std::uint64_t>(count);
}

std::optional<std::string> SqliteSource::changes(const std::string& position, Sink& sink) {
    std::optional<std::string> reached;
    read([&](sqlite::SqliteSession& session) {
        const Position last = last_position(session);
        const std::optional<Position> from = parse_position(position);
        if (!from || !in_log(session, *from)) {
            return;
        }
        std::optional<ChangedKeys> keys;
        {
            const auto log = session.query(
                "SELECT DISTINCT entity, key FROM changes WHERE seq > $1", {from->seq});
            keys = changed_keys(*log);
        }
        if (keys) {
            seen_ = last.seq;
            reached = format_position(last);
            read_changed(session, *keys, sink);
        }
    });
    return reached;
}

std::string SqliteSource::all(Sink& sink) {
    Position last;
    read([&](Session& session) {
        last = last_position(session);
        read_all(session, sink);
    });
    seen_ = last.seq;
    return format_position(last);
}

std::vector<Fate> SqliteSource::fates(const std::vector<HeldToken>& tokens) {
    std::vector<Fate> found;
    read([&](Session& session) { found = fates_of(session, tokens, true); });
    return found;
}

bool SqliteSource::no_change_between(const std::string& position, const std::string& latest) {
    const std::optional<Position> from = parse_position(position);
    const std::optional<Position> to = parse_position(latest);
    if (!from || !to || from->seq < to->seq) {
        return false;
    }
    bool known = *from == *to;
    if (!known && from->seq > to->seq) {
        // That of a registry in whose place a backup was put says nothing of this one.
        read([&](sqlite::SqliteSession& session) { known = in_log(session, *from); });
    }
    return known;
}

std::string SqliteSource::position() {
    Position last;
    read([&](Session& session) { last = last_position(session); });
    return format_position(last);
}

bool SqliteSource::is_awaited() {
    bool awaited = false;
    read([&](sqlite::SqliteSession& session) {
        awaited = session.version() == schema_version &&
                  session.number(
                      "SELECT until > CAST(strftime('%s', 'now') AS INTEGER) FROM "
                      "waiting") != 0;
    });
    return awaited;
}

// Whether the registry has more than what was read last.
bool SqliteSource::moved_on() {
    if (!in_place()) {
        return true;
    }
    std::int64_t last = 0;
    read([&](Session& session) { last = last_position(session).seq; });
    return last != seen_;
}

// After an event: until the commit can be seen.
base::Woken SqliteSource::await_commit() {
    base::Woken woken = base::Woken::event;
    const auto begun = std::chrono::steady_clock::now();
    while (woken != base::Woken::stopped && !moved_on()) {
        const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begun);
        if (waited >= commit_patience) {
            break;
        }
        woken = watch_.wait(std::clamp(waited / 8, first_step, last_step), stop_fd());
    }
    return woken;
}

void SqliteSource::wait(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        if (moved_on()) {
            return;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return;
        }
        base::Woken woken = watch_.wait(std::min(left, poll_interval), stop_fd());
        if (woken == base::Woken::event) {
            woken = await_commit();
        }
        if (woken == base::Woken::stopped) {
            return;
        }
    }
}

}  // namespace token_auth::registry
