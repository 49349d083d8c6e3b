#include "registry/sqlite/session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "base/error.hpp"
#include "registry/schema.hpp"

namespace token_auth::registry::sqlite {
namespace {

// PRAGMA application_id of a registry: "tkau".
constexpr int application_id = 0x746b6175;
constexpr int busy_seconds = 10;
constexpr mode_t file_mode = 0640;
// Room for what a large import changes, so that little of it is written twice.
constexpr int cache_kibibytes = 64 * 1024;

// SQLite takes file: URIs only where told so before its first use.
void enable_uris() {
    static std::once_flag once;
    std::call_once(once, [] { sqlite_api::sqlite3_config(SQLITE_CONFIG_URI, 1); });
}

// SOCI's own options know no "do not create"; a URI does, and needs no quoting of the path.
std::string connect_string(const std::string& path, std::string_view mode) {
    std::string uri = "file:";
    if (path.front() != '/') {
        uri += "./";
    }
    for (const char c : path) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                           (c >= 'a' && c <= 'z') || c == '/' || c == '.' || c == '_' || c == '-';
        uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return fmt::format("dbname={}?mode={} timeout={}", uri, mode, busy_seconds);
}

int pragma(soci::session& session, const std::string& name) {
    int value = 0;
    session << "PRAGMA " + name, soci::into(value);
    return value;
}

// -wal and -shm stay after the last close, so that a reader that may not write the directory
// can still open the registry; emptied, so that they take no room.
void keep_wal(soci::session& session) {
    int on = 1;
    auto* backend = static_cast<soci::sqlite3_session_backend*>(session.get_backend());
    sqlite_api::sqlite3_file_control(backend->conn_, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    pragma(session, "journal_size_limit = 0");
}

[[noreturn]] void fail(const Location& location, const std::string& text) {
    throw base::Error(fmt::format("registry {}: {}", location.shown, text));
}

std::string not_a_registry() {
    return "this file is no token-auth registry; name another by --registry or "
           "TOKEN_AUTH_REGISTRY";
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
        fail(location, fmt::format("cannot be reached: {}; check the path and its permissions",
                                   std::strerror(errno)));
    }
    if (!S_ISREG(status.st_mode)) {
        fail(location, "is not a regular file; name the registry's file, not its directory");
    }
    const int wanted = access == Access::write ? R_OK | W_OK : R_OK;
    if (::faccessat(AT_FDCWD, path, wanted, AT_EACCESS) != 0) {
        fail(location,
             access == Access::write
                 ? fmt::format("cannot be written: {}; run as its owner", std::strerror(errno))
                 : fmt::format("cannot be read: {}; run as its owner, or as a member of its group",
                               std::strerror(errno)));
    }
}

void check_version(const Location& location, soci::session& session) {
    if (pragma(session, "application_id") != application_id) {
        fail(location, not_a_registry());
    }
    const int version = pragma(session, "user_version");
    if (version != schema_version) {
        fail(location, fmt::format("has schema version {}, but this program knows {}; use the "
                                   "programs of the release that made it",
                                   version, schema_version));
    }
}

// A file in the making, removed unless it is kept.
class Draft {
  public:
    explicit Draft(const Location& location)
        : location_(location), path_(fmt::format("{}.init-{}", location.path, ::getpid())) {
        const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, file_mode);
        if (file < 0) {
            explain_open(errno);
        }
        const bool ok = ::fchmod(file, file_mode) == 0;  // whatever the umask
        const int problem = errno;
        ::close(file);
        if (!ok) {
            ::unlink(path_.c_str());
            fail(location_, fmt::format("cannot set its mode: {}", std::strerror(problem)));
        }
    }
    ~Draft() {
        for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
            ::unlink((path_ + suffix).c_str());
        }
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    const std::string& path() const { return path_; }

    // Gives it the registry's name, where nothing else has it.
    void keep() {
        if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, location_.path.c_str(),
                        RENAME_NOREPLACE) != 0) {
            fail(location_, fmt::format("cannot be put in place: {}", std::strerror(errno)));
        }
        sync_directory();
    }

  private:
    [[noreturn]] void explain_open(int problem) const {
        const std::string directory = parent();
        switch (problem) {
            case ENOENT:
                fail(location_,
                     fmt::format("directory {} does not exist; make it first", directory));
            case ENOTDIR:
                fail(location_, fmt::format("{} is not a directory; name another path by "
                                            "--registry",
                                            directory));
            default:
                fail(location_, fmt::format("cannot be made in {}: {}; check its permissions and "
                                            "free space",
                                            directory, std::strerror(problem)));
        }
    }

    std::string parent() const {
        const auto directory = std::filesystem::path(location_.path).parent_path();
        return directory.empty() ? "." : directory.string();
    }

    // The name must survive a power cut as the content does.
    void sync_directory() const {
        const int directory = ::open(parent().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {
            ::fsync(directory);
            ::close(directory);
        }
    }

    const Location& location_;
    std::string path_;
};

void refuse_existing(const Location& location) {
    struct stat status {};
    if (::lstat(location.path.c_str(), &status) == 0) {
        try {
            open(location, Access::read);
        } catch (const base::Error& error) {
            fail(location,
                 "something that is not a usable registry is at this path; move it away, or name "
                 "another path by --registry");
        }
        fail(location, "is a registry already; nothing was changed");
    }
    // SQLite would take an older registry's log for the new one's.
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
        const std::string left = location.path + suffix;
        if (::lstat(left.c_str(), &status) == 0) {
            fail(location,
                 fmt::format("{} is left over from an older file; remove it first", left));
        }
    }
}

}  // namespace

std::unique_ptr<soci::session> open(const Location& location, Access access) {
    check_file(location, access);
    enable_uris();
    try {
        auto session = std::make_unique<soci::session>(
            soci::sqlite3, connect_string(location.path, access == Access::write ? "rw" : "ro"));
        keep_wal(*session);
        check_version(location, *session);
        *session << "PRAGMA foreign_keys = ON";
        *session << "PRAGMA synchronous = FULL";
        *session << fmt::format("PRAGMA cache_size = -{}", cache_kibibytes);
        return session;
    } catch (const soci::soci_error& error) {
        throw explain(location, error);
    }
}

void create(const Location& location, const std::string& registry_id, std::int64_t now) {
    refuse_existing(location);
    enable_uris();
    try {
        Draft draft(location);
        {
            soci::session session(soci::sqlite3, connect_string(draft.path(), "rw"));
            session << fmt::format("PRAGMA application_id = {}", application_id);
            session << "BEGIN IMMEDIATE";
            for (const std::string_view statement : sqlite_schema()) {
                session << std::string(statement);
            }
            const std::string created = std::to_string(now);
            session << "INSERT INTO meta (name, value) VALUES ('registry_id', :id)",
                soci::use(registry_id);
            session << "INSERT INTO meta (name, value) VALUES ('created_at', :at)",
                soci::use(created);
            session << fmt::format("PRAGMA user_version = {}", schema_version);
            session << "COMMIT";
            // last, so that what is renamed is one file without a log beside it
            std::string mode;
            session << "PRAGMA journal_mode = WAL", soci::into(mode);
            if (mode != "wal") {
                fail(location,
                     "its file system has no shared memory for SQLite's WAL mode; put "
                     "the registry on a local file system");
            }
        }
        draft.keep();
    } catch (const soci::soci_error& error) {
        throw explain(location, error);
    }
    // The first connection makes -wal and -shm, which then stay.
    const Connection first(location, Access::write);
}

base::Error explain(const Location& location, const soci::soci_error& error) {
    const auto* native = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    const int code = native == nullptr ? SQLITE_ERROR : native->result() & 0xff;
    const auto text = [&]() -> std::string {
        switch (code) {
            case SQLITE_NOTADB:
                return not_a_registry();
            case SQLITE_BUSY:
            case SQLITE_LOCKED:
                return fmt::format(
                    "another program has been writing it for {} seconds; try again when it is done",
                    busy_seconds);
            case SQLITE_READONLY:
                return "cannot be written; run as its owner, and check that its file system is "
                       "writable (an account that only reads needs its -wal and -shm files: any "
                       "tokenctl command of its owner makes those)";
            case SQLITE_CANTOPEN:
                return "cannot be opened; check the permissions of its directory and of its -wal "
                       "and -shm files (any tokenctl command of its owner makes those)";
            case SQLITE_FULL:
                return "the disk is full; make room and try again";
            case SQLITE_CORRUPT:
                return "is damaged; restore it from a backup";
            case SQLITE_IOERR:
                return "cannot be read or written (I/O error); check its disk and free space";
            default:
                return fmt::format("SQLite answered: {}", error.get_error_message());
        }
    }();
    return base::Error(fmt::format("registry {}: {}", location.shown, text));
}

}  // namespace token_auth::registry::sqlite
