#include "registry/sqlite/sqlite_session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json.hpp"
#include "registry/version.hpp"
#include "token_auth/file_remedy.hpp"

namespace token_auth::registry::sqlite {
namespace {

constexpr int busy_seconds = 10;
// What a connection may keep of the file. tokensync reads much; of tokenapi's there are many.
constexpr int reader_cache = 64 * 1024;  // KiB
constexpr int writer_cache = 512;
// Room for what a large import changes, so that little of it is written twice.
constexpr int import_cache = 64 * 1024;

std::string cache_of(int size) {
    return fmt::format("PRAGMA cache_size = -{}", size);
}

constexpr const char* not_a_registry =
    "this file is no token-auth registry; name another by --registry or TOKEN_AUTH_REGISTRY";

// `system` is the errno behind the code, or 0.
std::string explain(const Location& location, int code, int system, const char* message) {
    if (!location.is_registry) {
        switch (code & 0xff) {
            case SQLITE_NOTADB:
            case SQLITE_CORRUPT:
                return "is damaged, or not tokensync's; remove it, tokensync makes it anew, or "
                       "name "
                       "another by --usage-db";
            case SQLITE_READONLY:
            case SQLITE_CANTOPEN:
            case SQLITE_PERM:
            case SQLITE_AUTH:
                return fmt::format(
                    "cannot be opened or written{}{}; tokensync's account writes it and its "
                    "directory, that account's group reads it",
                    system == 0 ? "" : ": ", system == 0 ? "" : std::strerror(system));
            default:
                break;
        }
    }
    switch (code & 0xff) {
        case SQLITE_NOTADB:
            return not_a_registry;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fmt::format(
                "another program has been using it for {} seconds; try again when it is done",
                busy_seconds);
        case SQLITE_READONLY:
            if (system == EROFS) {
                return fmt::format("cannot be written: {}", file_remedy(system, ""));
            }
            return "cannot be written; run as its owner, and check that its file system is "
                   "writable (an account that only reads needs its -wal and -shm files: any "
                   "tokenctl command of its owner makes those)";
        case SQLITE_CANTOPEN:
            return fmt::format(
                "cannot be opened{}{}; {}", system == 0 ? "" : ": ",
                system == 0 ? "" : std::strerror(system),
                file_remedy(system,
                            "check the permissions of its directory and of its -wal and -shm "
                            "files (any tokenctl command of its owner makes those)"));
        case SQLITE_FULL:
            return "the disk is full; make room and try again";
        case SQLITE_CORRUPT:
            return "is damaged; restore it from a backup";
        case SQLITE_IOERR:
            return fmt::format("cannot be read or written ({}); {}",
                               system == 0 ? "I/O error" : std::strerror(system),
                               file_remedy(system, "check its disk and free space"));
        case SQLITE_NOMEM:
            return fmt::format("out of memory; {}", file_remedy(ENOMEM, ""));
        default:
            return fmt::format("SQLite answered: {}", message);
    }
}

// What can be said of the file before SQLite sees it.
void check_file(const Location& location, Access access) {
    const char* path = location.path.c_str();
    struct stat status {};
    if (::stat(path, &status) != 0) {
        if (errno == ENOENT) {
            fail(location,
                 "there is no such file; make a registry by `tokenctl init`, or name another by "
                 "--registry or TOKEN_AUTH_REGISTRY");
        }
        const int error = errno;
        fail(location, fmt::format("cannot be reached: {}; {}", std::strerror(error),
                                   file_remedy(error, "check the path and its permissions")));
    }
    if (!S_ISREG(status.st_mode)) {
        fail(location, "is not a regular file; name the registry's file, not its directory");
    }
    const int wanted = access == Access::write ? R_OK | W_OK : R_OK;
    if (::faccessat(AT_FDCWD, path, wanted, AT_EACCESS) != 0) {
        const int error = errno;
        const bool writing = access == Access::write;
        fail(location,
             fmt::format("cannot be {}: {}; {}", writing ? "written" : "read", std::strerror(error),
                         file_remedy(error, writing ? "run as its owner"
                                                    : "run as its owner, or as a member of its "
                                                      "group")));
    }
}

}  // namespace

void fail(const Location& location, const std::string& text) {
    throw base::Error(fmt::format("{}: {}", title(location), text));
}

// A statement that runs; idle again when it goes.
class SqliteSession::Running final : public Rows {
  public:
    Running(SqliteSession& session, Idle::node_type node)
        : session_(session), node_(std::move(node)), statement_(node_.mapped().get()) {}
    ~Running() override {
        sqlite3_reset(statement_);
        session_.idle_.insert(std::move(node_));
    }

    void bind(const Values& values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            // SQLite counts names as they come in the text.
            const int at =
                sqlite3_bind_parameter_index(statement_, fmt::format("${}", i + 1).c_str());
            const int code =
                std::visit([&](const auto& value) { return bind_one(at, value); }, values[i]);
            if (code != SQLITE_OK) {
                throw session_.error(code);
            }
        }
    }

    bool next() override {
        if (ended_) {
            return false;
        }
        const int code = sqlite3_step(statement_);
        ended_ = code != SQLITE_ROW;
        if (ended_ && code != SQLITE_DONE) {
            throw session_.error(code);
        }
        return !ended_;
    }

    std::string_view text(int column) const override {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }

    std::int64_t integer(int column) const override {
        return sqlite3_column_int64(statement_, column);
    }

    bool is_null(int column) const override { return is(column, SQLITE_NULL); }
    bool has_text(int column) const override { return is(column, SQLITE_TEXT); }
    bool has_integer(int column) const override { return is(column, SQLITE_INTEGER); }

  private:
    bool is(int column, int type) const { return sqlite3_column_type(statement_, column) == type; }

    int bind_one(int at, std::monostate) { return sqlite3_bind_null(statement_, at); }
    int bind_one(int at, std::int64_t value) { return sqlite3_bind_int64(statement_, at, value); }
    int bind_one(int at, std::string_view value) {
        return sqlite3_bind_text(statement_, at, value.data() == nullptr ? "" : value.data(),
                                 static_cast<int>(value.size()), SQLITE_TRANSIENT);
    }

    SqliteSession& session_;
    Idle::node_type node_;
    sqlite3_stmt* statement_;
    bool ended_ = false;
};

void SqliteSession::Closer::operator()(sqlite3* database) const noexcept {
    sqlite3_close(database);
}

void SqliteSession::Closer::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

SqliteSession::SqliteSession(Location location, const std::string& path, Access access)
    : Session(std::move(location)) {
    // Debian's SQLite would take a path such as "file:x" for a URI.
    const std::string plain = path.front() == '/' ? path : "./" + path;
    const int mode = access == Access::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(plain.c_str(), &database, mode, nullptr);
    database_.reset(database);
    if (code != SQLITE_OK) {
        throw error(code);
    }
    sqlite3_extended_result_codes(database, 1);
    sqlite3_busy_timeout(database, 1000 * busy_seconds);
}

SqlError SqliteSession::error(int code) const {
    const char* const message = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
    const int system = database_ ? sqlite3_system_errno(database_.get()) : 0;
    return {fmt::format("{}: {}", title(location()), explain(location(), code, system, message)),
            std::to_string(code)};
}

SqliteSession::Idle::node_type SqliteSession::prepare(std::string_view sql) {
    auto found = idle_.find(sql);
    if (found == idle_.end()) {
        sqlite3_stmt* statement = nullptr;
        const int code =
            sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (code != SQLITE_OK) {
            throw error(code);
        }
        found = idle_.emplace(sql, statement);
    }
    return idle_.extract(found);
}

std::unique_ptr<Rows> SqliteSession::query(std::string_view sql, const Values& values) {
    auto running = std::make_unique<Running>(*this, prepare(sql));
    running->bind(values);
    return running;
}

void SqliteSession::run(const std::string& statements) {
    const int code = sqlite3_exec(database_.get(), statements.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        throw error(code);
    }
}

std::string SqliteSession::list(const std::vector<std::string_view>& texts) const {
    return base::Json(texts).dump(-1, ' ', false, base::Json::error_handler_t::replace);
}

std::int64_t SqliteSession::number(std::string_view sql) {
    const auto rows = query(sql);
    return rows->next() ? rows->integer(0) : 0;
}

void SqliteSession::set_version(int version) {
    run(fmt::format("PRAGMA user_version = {}", version));
}

void SqliteSession::keep_wal() {
    int on = 1;
    sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    run("PRAGMA journal_size_limit = 0");
}

void SqliteSession::begin(Access access) {
    if (access == Access::write_alone) {
        run(cache_of(import_cache));
    }
    run(access == Access::read ? "BEGIN" : "BEGIN IMMEDIATE");
}

void SqliteSession::roll_back() noexcept {
    // An error that rolled back by itself leaves nothing to end; the first error counts.
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

std::unique_ptr<SqliteSession> open_any(const Location& location, Access access) {
    check_file(location, access);
    auto session = std::make_unique<SqliteSession>(location, location.path, access);
    session->keep_wal();
    if (session->number("PRAGMA application_id") != application_id) {
        fail(location, not_a_registry);
    }
    return session;
}

std::unique_ptr<SqliteSession> open(const Location& location, Access access, int oldest) {
    auto session = open_any(location, access);
    require_version(location, session->version(), oldest);
    session->run("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; " +
                 cache_of(access == Access::read ? reader_cache : writer_cache));
    return session;
}

}  // namespace token_auth::registry::sqlite
