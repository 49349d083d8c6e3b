#include "registry/sqlite/source.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/file_watch.hpp"
#include "registry/stored_token.hpp"
#include "registry/validate.hpp"
#include "token_auth/text.hpp"

namespace token_auth::registry {
namespace {

// Without events (a network file system, no inotify left) a change is seen this late at most.
constexpr std::chrono::milliseconds poll_interval{250};
// An event comes with the write to the log's file; readers see the commit after it, once the file
// is on disk, which tells nobody. On a slow disk that takes its time, so it is looked for in
// steps that grow.
constexpr std::chrono::milliseconds settle_time{2000};
constexpr std::chrono::milliseconds first_step{1};
constexpr std::chrono::milliseconds last_step{25};

constexpr std::array<const char*, 3> file_suffixes{"", "-wal", "-shm"};

constexpr std::string_view position_prefix = "sqlite:";

// A row of the change log; {0, 0} is before the first one.
struct Position {
    long long seq = 0;
    long long mark = 0;
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

Position last_position(soci::session& session) {
    Position last;
    session << "SELECT seq, mark FROM changes ORDER BY seq DESC LIMIT 1", soci::into(last.seq),
        soci::into(last.mark);
    return last;
}

// Whether everything after the position is in the log.
bool in_log(soci::session& session, const Position& position) {
    if (position == Position{}) {
        long long first = 0;
        long long used = 0;
        session << "SELECT coalesce(min(seq), 0) FROM changes", soci::into(first);
        session << "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'",
            soci::into(used);
        return first == 1 || used == 0;
    }
    long long mark = 0;
    session << "SELECT mark FROM changes WHERE seq = :seq", soci::use(position.seq),
        soci::into(mark);
    return session.got_data() && mark == position.mark;
}

// The columns of StoredToken, for bind().
constexpr const char* select_tokens =
    "SELECT id, digest, key_id, kind, user_id, coalesce(organization, ''), "
    "coalesce(group_id, ''), coalesce(role, ''), scopes, name, allow, not_before, expires_at, "
    "revoked_at, user_id IN (SELECT id FROM users WHERE disabled = 1) FROM tokens ";
// The same, where few tokens are read and there may be many disabled users.
constexpr const char* select_token =
    "SELECT id, digest, key_id, kind, user_id, coalesce(organization, ''), "
    "coalesce(group_id, ''), coalesce(role, ''), scopes, name, allow, not_before, expires_at, "
    "revoked_at, "
    "EXISTS (SELECT 1 FROM users WHERE users.id = tokens.user_id AND disabled = 1) "
    "FROM tokens ";

void bind(soci::statement& statement, StoredToken& row) {
    using soci::into;
    statement.exchange(into(row.token.id));
    statement.exchange(into(row.digest));
    statement.exchange(into(row.key_id));
    statement.exchange(into(row.kind));
    statement.exchange(into(row.token.user));
    statement.exchange(into(row.token.organization));
    statement.exchange(into(row.token.group));
    statement.exchange(into(row.token.role));
    statement.exchange(into(row.scopes));
    statement.exchange(into(row.token.name));
    statement.exchange(into(row.allow));
    statement.exchange(into(row.not_before));
    statement.exchange(into(row.expires));
    statement.exchange(into(row.revoked));
    statement.exchange(into(row.user_disabled));
}

// Reads entities as they are now, by the keys of the change log.
class EntityReader {
  public:
    EntityReader(soci::session& session, const Location& location, Sink& sink)
        : session_(session), location_(location), sink_(sink), token_(session), by_user_(session) {
        bind(token_, token_row_);
        prepare(token_, std::string(select_token) + "WHERE digest = :digest");
        bind(by_user_, by_user_row_);
        prepare(by_user_, std::string(select_token) +
                              "WHERE user_id = :user AND kind <> 'user' ORDER BY digest");
    }

    void read(const std::string& entity, const std::string& key) {
        if (entity == "token") {
            token(key);
        } else if (entity == "membership") {
            membership(key);
        } else if (entity == "organization") {
            organization(key);
        } else if (entity == "role") {
            role(key);
        } else if (entity == "user") {
            user(key);
        } else {
            throw base::Error(
                fmt::format("registry {}: its change log names something unknown to this "
                            "tokensync; use programs of one release",
                            location_.shown));
        }
    }

  private:
    void prepare(soci::statement& statement, const std::string& sql) {
        statement.exchange(soci::use(key_));
        statement.alloc();
        statement.prepare(sql);
        statement.define_and_bind();
    }

    void token(const std::string& digest) {
        const auto bytes = from_hex(digest);
        key_ = digest;
        if (token_.execute(true)) {
            sink_.put(token_row_.complete(location_));
        } else if (bytes && to_hex(*bytes) == digest) {
            sink_.gone_token(*bytes);
        }
    }

    void membership(const std::string& key) {
        Membership membership;
        const std::size_t space = key.find(' ');
        if (space == std::string::npos) {
            throw base::Error(fmt::format(
                "registry {}: its change log holds a membership that names no organization; "
                "restore its triggers from the schema",
                location_.shown));
        }
        membership.user = key.substr(0, space);
        membership.organization = key.substr(space + 1);
        session_ << "SELECT role FROM memberships WHERE user_id = :user AND "
                    "organization = :organization",
            soci::use(membership.user), soci::use(membership.organization),
            soci::into(membership.role);
        if (session_.got_data()) {
            sink_.put(membership);
        } else {
            sink_.gone_membership(membership.user, membership.organization);
        }
    }

    void organization(const std::string& key) {
        int suspended = 0;
        session_ << "SELECT suspended FROM organizations WHERE id = :id", soci::use(key),
            soci::into(suspended);
        if (session_.got_data()) {
            Organization organization;
            organization.id = key;
            organization.suspended = suspended != 0;
            sink_.put(organization);
        } else {
            sink_.gone_organization(key);
        }
    }

    void role(const std::string& key) {
        std::string scopes;
        session_ << "SELECT scopes FROM roles WHERE id = :id", soci::use(key), soci::into(scopes);
        if (session_.got_data()) {
            sink_.put(Role{key, split_words(scopes)});
        } else {
            sink_.gone_role(key);
        }
    }

    void user(const std::string& key) {
        int disabled = 0;
        session_ << "SELECT disabled FROM users WHERE id = :id AND technical = 0", soci::use(key),
            soci::into(disabled);
        if (session_.got_data()) {
            User user;
            user.id = key;
            user.disabled = disabled != 0;
            sink_.put(user);
        } else {
            sink_.gone_user(key);
        }
        // An organization's token may act for a person, and then holds their state.
        key_ = key;
        if (by_user_.execute(true)) {
            do {
                sink_.put(by_user_row_.complete(location_));
            } while (by_user_.fetch());
        }
    }

    soci::session& session_;
    const Location& location_;
    Sink& sink_;
    std::string key_;
    StoredToken token_row_;
    StoredToken by_user_row_;
    soci::statement token_;
    soci::statement by_user_;
};

void all_memberships(soci::session& session, Sink& sink) {
    Membership membership;
    soci::statement statement =
        (session.prepare << "SELECT user_id, organization, role FROM memberships "
                            "ORDER BY user_id, organization",
         soci::into(membership.user), soci::into(membership.organization),
         soci::into(membership.role));
    statement.execute();
    while (statement.fetch()) {
        sink.put(membership);
    }
}

void all_organizations(soci::session& session, Sink& sink) {
    Organization organization;
    int suspended = 0;
    soci::statement statement =
        (session.prepare << "SELECT id, suspended FROM organizations ORDER BY id",
         soci::into(organization.id), soci::into(suspended));
    statement.execute();
    while (statement.fetch()) {
        organization.suspended = suspended != 0;
        sink.put(organization);
    }
}

void all_roles(soci::session& session, Sink& sink) {
    Role role;
    std::string scopes;
    soci::statement statement = (session.prepare << "SELECT id, scopes FROM roles ORDER BY id",
                                 soci::into(role.id), soci::into(scopes));
    statement.execute();
    while (statement.fetch()) {
        role.scopes = split_words(scopes);
        sink.put(role);
    }
}

void all_tokens(soci::session& session, const Location& location, Sink& sink) {
    StoredToken row;
    soci::statement statement(session);
    bind(statement, row);
    statement.alloc();
    statement.prepare(std::string(select_tokens) + "ORDER BY +digest");
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
        sink.put(row.complete(location));
    }
}

void all_users(soci::session& session, Sink& sink) {
    User user;
    int disabled = 0;
    soci::statement statement =
        (session.prepare << "SELECT id, disabled FROM users WHERE technical = 0 ORDER BY id",
         soci::into(user.id), soci::into(disabled));
    statement.execute();
    while (statement.fetch()) {
        user.disabled = disabled != 0;
        sink.put(user);
    }
}

}  // namespace

SqliteSource::SqliteSource(Location location)
    : location_(std::move(location)), watch_(location_.path) {}

SqliteSource::Files SqliteSource::files() const {
    Files found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
        struct stat info {};
        if (stat((location_.path + file_suffixes[i]).c_str(), &info) == 0) {
            found[i] = {info.st_dev, info.st_ino};
        }
    }
    return found;
}

// A log or index that was removed or exchanged under an open connection leaves it reading the old
// one for ever, without an error.
bool SqliteSource::in_place() const {
    return files() == files_;
}

void SqliteSource::read(const std::function<void(soci::session&)>& body) {
    if (connection_ && !in_place()) {
        connection_.reset();
    }
    if (!connection_) {
        // Looked at before it is opened: a file exchanged in between is noticed at the next call.
        files_ = files();
        connection_ = std::make_unique<Connection>(location_, Access::read);
    }
    try {
        connection_->read(body);
    } catch (...) {
        connection_.reset();
        throw;
    }
}

std::string SqliteSource::identity() {
    read([](soci::session&) {});
    return connection_->registry_id();
}

std::uint64_t SqliteSource::token_count() {
    long long count = 0;
    read([&](soci::session& session) {
        session << "SELECT count(*) FROM tokens", soci::into(count);
    });
    return static_cast<std::uint64_t>(count);
}

std::optional<std::string> SqliteSource::changes(const std::string& position, Sink& sink) {
    std::optional<std::string> reached;
    read([&](soci::session& session) {
        const Position last = last_position(session);
        const std::optional<Position> from = parse_position(position);
        if (!from || !in_log(session, *from)) {
            return;
        }
        seen_ = last.seq;
        reached = format_position(last);
        if (*from == last) {
            return;
        }
        std::string entity;
        std::string key;
        EntityReader reader(session, location_, sink);
        soci::statement log = (session.prepare << "SELECT DISTINCT entity, key FROM changes "
                                                  "WHERE seq > :seq ORDER BY entity, key",
                               soci::use(from->seq), soci::into(entity), soci::into(key));
        log.execute();
        while (log.fetch()) {
            reader.read(entity, key);
        }
    });
    return reached;
}

std::string SqliteSource::all(Sink& sink) {
    Position last;
    read([&](soci::session& session) {
        last = last_position(session);
        all_memberships(session, sink);
        all_organizations(session, sink);
        all_roles(session, sink);
        all_tokens(session, location_, sink);
        all_users(session, sink);
    });
    seen_ = last.seq;
    return format_position(last);
}

// Whether the registry has more than what was read last.
bool SqliteSource::moved_on() {
    if (!in_place()) {
        return true;
    }
    long long last = 0;
    read([&](soci::session& session) { last = last_position(session).seq; });
    return last != seen_;
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
            const auto begun = std::chrono::steady_clock::now();
            while (woken != base::Woken::stopped && !moved_on()) {
                const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
                    std::chrono::steady_clock::now() - begun);
                if (waited >= settle_time) {
                    break;
                }
                woken = watch_.wait(std::clamp(waited / 8, first_step, last_step), stop_fd());
            }
        }
        if (woken == base::Woken::stopped) {
            return;
        }
    }
}

}  // namespace token_auth::registry
